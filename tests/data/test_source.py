"""The crop source: all cache modes alike, resumable, split over ranks, robust against damaged files."""

import logging
import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.data import source as source_module
from kornia_srgan.data.images import find_images, read_rgb
from kornia_srgan.data.source import choose_cache, open_crops
from kornia_srgan.errors import DataError

MODES = [("none", 0), ("none", 2), ("ram", 0), ("device", 0)]


def take(source, start=0, stop=6, **options):
    batches = list(source.batches(start, stop, batch_size=5, **options))
    return torch.cat([b.images for b in batches]), [s for b in batches for s in b.seeds]


def assert_same(a, b):
    assert torch.equal(a[0], b[0])
    assert a[1] == b[1]


@pytest.mark.parametrize("crops_per_image", [1, 3])
def test_all_modes_and_worker_counts_give_the_same_bytes(photos, crops_per_image):
    def made(cache, workers):
        return take(
            open_crops(
                photos, crop=16, cache=cache, workers=workers, seed=4, crops_per_image=crops_per_image
            ),
            stop=12,
        )

    expected = made("none", 0)
    assert expected[0].shape == (60, 3, 16, 16)
    assert expected[0].dtype == torch.uint8
    for cache, workers in MODES[1:]:
        assert_same(made(cache, workers), expected)


@pytest.mark.parametrize(("cache", "workers"), MODES)
def test_starting_at_a_step_is_resuming_there(photos, cache, workers):
    source = open_crops(photos, crop=16, cache=cache, workers=workers, seed=4)
    whole = take(source, 0, 6)
    resumed = take(open_crops(photos, crop=16, cache=cache, workers=workers, seed=4), 4, 6)
    assert_same(resumed, (whole[0][20:], whole[1][20:]))


@pytest.mark.parametrize(("cache", "workers"), MODES)
def test_ranks_together_see_the_single_process_batch(photos, cache, workers):
    source = open_crops(photos, crop=16, cache=cache, workers=workers, seed=4)
    whole = next(source.batches(3, 4, batch_size=5))
    parts = [next(source.batches(3, 4, batch_size=5, rank=r, world_size=2)) for r in range(2)]
    assert [len(p.images) for p in parts] == [2, 3]
    assert torch.equal(torch.cat([p.images for p in parts]), whole.images)
    assert parts[0].seeds + parts[1].seeds == whole.seeds


def test_crops_are_pieces_of_the_images(photos):
    source = open_crops(photos, crop=16, cache="ram", seed=0)
    windows = set()
    for path in find_images(photos):
        image = read_rgb(path)
        pad = [(0, max(0, 16 - n)) for n in image.shape[:2]]
        image = np.pad(image, (*pad, (0, 0)), mode="symmetric")
        view = np.lib.stride_tricks.sliding_window_view(image, (16, 16, 3))[:, :, 0]
        windows |= {w.tobytes() for w in view.reshape(-1, 16, 16, 3)}
    crops = take(source, 0, 20)[0].permute(0, 2, 3, 1).contiguous().numpy()
    assert all(c.tobytes() in windows for c in crops)


def test_every_image_is_reached_in_an_epoch(photos):
    source = open_crops(photos, crop=16, cache="ram", weighting="uniform")
    assert source.num_images == source.epoch_samples == 6


def test_seeds_decide(photos):
    first = take(open_crops(photos, crop=16, cache="ram", seed=1))
    other = take(open_crops(photos, crop=16, cache="ram", seed=2))
    assert not torch.equal(first[0], other[0])


@pytest.mark.parametrize(("cache", "workers"), MODES)
def test_damaged_files_are_named_once_and_replaced_alike(damaged, caplog, cache, workers):
    expected = take(open_crops(damaged, crop=16, cache="none", workers=0, seed=1), stop=20)
    caplog.clear()
    with caplog.at_level(logging.WARNING, "kornia_srgan"):
        source = open_crops(damaged, crop=16, cache=cache, workers=workers, seed=1)
        assert_same(take(source, stop=20), expected)
        take(source, stop=20)
    said = " ".join(r.getMessage() for r in caplog.records)
    assert [said.count(n) for n in ("text.png", "empty.jpg", "cut.png")] == [1, 1, 1]
    assert len(caplog.records) <= 2
    assert {p.name for p in source.skipped} == {"text.png", "empty.jpg", "cut.png"}
    assert source.num_images == 6


def test_a_folder_where_nothing_decodes_is_an_error(tmp_path):
    (tmp_path / "text.png").write_text("no")
    with pytest.raises(DataError, match=r"none of the 1 image files can be read.*text.png"):
        open_crops(tmp_path, crop=16)
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes((tmp_path / "x.png").read_bytes()[:5000])
    with pytest.raises(DataError, match="none of the 2 image files can be decoded"):
        open_crops(tmp_path, crop=16, cache="ram")
    with pytest.raises(DataError, match="none of the 1 images can be decoded"):
        take(open_crops(tmp_path, crop=16, cache="none", workers=0))


def test_rotated_photos_are_cropped_as_they_are_seen(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = np.random.default_rng(0).integers(0, 256, (10, 40, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "x.png", exif=exif)
    made = [take(open_crops(tmp_path, crop=16, cache=c, workers=w)) for c, w in MODES]
    upright = np.pad(np.rot90(image, -1), ((0, 0), (0, 6), (0, 0)), mode="symmetric")
    first = made[0][0][0].permute(1, 2, 0).numpy()
    assert any((upright[y : y + 16] == first).all() for y in range(25))
    for other in made[1:]:
        assert_same(other, made[0])


@pytest.mark.parametrize(("cache", "workers"), MODES)
def test_the_global_generator_is_left_alone(photos, cache, workers):
    state = torch.get_rng_state()
    take(open_crops(photos, crop=16, cache=cache, workers=workers))
    assert torch.equal(torch.get_rng_state(), state)


def test_impossible_shares_are_refused(photos):
    source = open_crops(photos, crop=16, cache="ram")
    with pytest.raises(DataError, match="rank 2 does not exist among 2"):
        next(source.batches(0, 1, batch_size=4, rank=2, world_size=2))
    with pytest.raises(DataError, match="batch size 1 is smaller than the number of processes, 2"):
        next(source.batches(0, 1, batch_size=1, rank=0, world_size=2))


def test_auto_takes_ram_while_it_fits_into_half_of_what_is_free(monkeypatch):
    cpu = torch.device("cpu")
    monkeypatch.setattr(source_module, "free_ram", lambda: 1000)
    assert choose_cache("auto", 500, cpu) == "ram"
    assert choose_cache("auto", 501, cpu) == "none"
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert choose_cache("auto", 251, cpu) == "none"


def test_auto_takes_the_device_for_a_quarter_of_what_is_free(monkeypatch):
    cuda = torch.device("cuda")
    monkeypatch.setattr(source_module, "free_ram", lambda: 1000)
    monkeypatch.setattr(source_module, "free_memory", lambda device: 1600)
    assert choose_cache("auto", 400, cuda) == "device"
    assert choose_cache("auto", 401, cuda) == "ram"
    assert choose_cache("auto", 501, cuda) == "none"


def test_a_cache_that_is_too_small_is_refused(monkeypatch):
    monkeypatch.setattr(source_module, "free_ram", lambda: 2**30)
    with pytest.raises(DataError, match=r"data.cache 'ram' needs 2.0 GiB .* 1.0 GiB are free; use 'none'"):
        choose_cache("ram", 2**31, torch.device("cpu"))


def test_the_fingerprint_tells_other_data_from_the_same(photos):
    def fingerprint(**options):
        return open_crops(photos, **{"crop": 16, "cache": "ram", **options}).fingerprint

    same = fingerprint()
    assert same == fingerprint(cache="none", workers=3)
    assert len({same, fingerprint(seed=1), fingerprint(crop=12), fingerprint(weighting="uniform")}) == 4
    (photos / "a.png").unlink()
    assert fingerprint() != same


def test_an_interrupt_from_the_terminal_does_not_reach_the_workers(photos):
    batches = open_crops(photos, crop=16, cache="none", workers=1).batches(0, 30, batch_size=4)
    next(batches)
    workers = multiprocessing.active_children()
    assert workers
    for worker in workers:
        os.kill(worker.pid, signal.SIGINT)
    assert len(list(batches)) == 29

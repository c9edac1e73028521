"""Crops out of streamed shards: the same bytes with any workers, over ranks, from any step on."""

from __future__ import annotations

import json
import logging
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kornia_srgan.data.batch import CropBatch, StreamedSource
from kornia_srgan.data.pixels import PixelFormat
from kornia_srgan.data.stream import open_shards
from kornia_srgan.errors import ConfigError, DataError, KorniaSRGANError
from tests.helpers.numbered_shards import make_shards, png, write_shard
from tests.helpers.pairs import make_shard

COUNTS = (4, 4, 4, 4)


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    return make_shards(tmp_path, COUNTS)


def opened(*patterns: str, **options: Any) -> Any:
    return open_shards(patterns, **{"crop": 16, "workers": 0, "shuffle_buffer": 12, "seed": 3, **options})


def same(a: list[CropBatch], b: list[CropBatch]) -> bool:
    return [x.seeds for x in a] == [x.seeds for x in b] and all(
        torch.equal(x.images, y.images) for x, y in zip(a, b, strict=True)
    )


def test_workers_change_no_byte(pattern: str) -> None:
    alone = list(opened(pattern).batches(0, 6, batch_size=5))
    assert same(list(opened(pattern, workers=3).batches(0, 6, batch_size=5)), alone)
    source = opened(pattern)
    assert isinstance(source, StreamedSource)
    list(source.batches(0, 3, batch_size=5))
    source.workers = 2  # resumed within a round of lanes
    assert same(list(source.batches(3, 6, batch_size=5)), alone[3:])


def test_ranks_share_the_images_of_an_epoch(pattern: str) -> None:
    sources = [(rank, opened(pattern)) for rank in (0, 1)]
    seen = [
        number
        for rank, source in sources
        for batch in source.batches(0, 8, batch_size=2, rank=rank, world_size=2)
        for number in batch.images[:, 0, 0, 0].tolist()
    ]
    assert sorted(seen) == list(range(sum(COUNTS)))


@pytest.mark.parametrize("crops_per_image", [1, 3])
def test_a_position_goes_on_with_the_same_bytes(pattern: str, crops_per_image: int) -> None:
    whole = list(opened(pattern, crops_per_image=crops_per_image).batches(0, 12, batch_size=5))
    first = opened(pattern, crops_per_image=crops_per_image)
    for step, _ in enumerate(first.batches(0, 11, batch_size=5)):
        second = opened(pattern, crops_per_image=crops_per_image)
        second.restore(json.loads(json.dumps(first.position)))
        assert same(list(second.batches(step + 1, step + 2, batch_size=5)), [whole[step + 1]])


def test_another_step_without_a_position_reads_all_before_it(pattern: str) -> None:
    whole = list(opened(pattern).batches(0, 9, batch_size=5))
    source = opened(pattern)
    assert same(list(source.batches(7, 9, batch_size=5)), whole[7:])
    assert same(list(source.batches(2, 4, batch_size=5)), whole[2:4])


def test_consecutive_crops_of_an_image_differ(tmp_path: Path) -> None:
    batch = next(opened(make_shards(tmp_path, (2,)), crops_per_image=4).batches(0, 1, batch_size=8))
    numbers = batch.images[:, 0, 0, 0].tolist()
    assert numbers == [numbers[0]] * 4 + [1 - numbers[0]] * 4
    assert len(set(batch.seeds)) == 8
    assert len({crop.numpy().tobytes() for crop in batch.images}) > 4


def test_pairs_lie_over_each_other(tmp_path: Path) -> None:
    shard = make_shard(tmp_path, tmp_path / "p.tar")
    batch = next(opened(str(shard), crop=8).batches(0, 1, batch_size=8))
    assert batch.paired == tuple(range(8))
    assert batch.lr is not None
    for hr, lr in zip(batch.images, batch.lr, strict=True):
        assert torch.equal(hr, lr.repeat_interleave(4, 1).repeat_interleave(4, 2)) or int(lr[2, 0, 0]) == 3


def test_pairs_and_other_images_in_one_stream(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    members = {"a.hr.png": png(1, 32), "a.lr.png": png(2, 8), "b.png": png(3, 32)}
    members |= {"c.hr.png": png(4, 32), "c.lr.png": png(5, 9)}
    write_shard(tmp_path / "m.tar", members)
    with caplog.at_level(logging.WARNING, "kornia_srgan"):
        batch = next(opened(str(tmp_path / "m.tar"), shuffle_buffer=0).batches(0, 1, batch_size=4))
    assert batch.images[:, 0, 0, 0].tolist() == [1, 3, 1, 3]
    assert batch.paired == (0, 2)
    assert "m.tar/c.hr.png': its LR image has 9x9 pixels, x4 needs 8x8" in caplog.text


def test_damaged_images_and_archives_are_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_shards(tmp_path, (3, 3))
    write_shard(tmp_path / "s-02.tar", {"x.png": b"no image", "y.png": png(77)})
    whole = (tmp_path / "s-00.tar").read_bytes()
    (tmp_path / "s-03.tar").write_bytes(whole[:2500])
    source = opened(str(tmp_path / "s-{00..03}.tar"), workers=1)
    with caplog.at_level(logging.WARNING, "kornia_srgan"):
        list(source.batches(0, 10, batch_size=4))
    assert caplog.text.count("x.png") == 1
    assert f"cannot read archive '{tmp_path}/s-03.tar' to its end: unexpected end of data" in caplog.text
    assert len(source.skipped) == 2


def test_a_shard_that_goes_missing_stops_the_run_in_one_line(pattern: str, tmp_path: Path) -> None:
    before = set(multiprocessing.active_children())
    source = opened(pattern, workers=1)
    (tmp_path / "s-02.tar").unlink()
    with pytest.raises(KorniaSRGANError) as error:
        list(source.batches(0, 6, batch_size=4))
    assert str(error.value) == (
        f"cannot read shard '{tmp_path}/s-02.tar': there is no such file, bucket or repository"
    )
    assert set(multiprocessing.active_children()) <= before  # ended at once, not by the garbage collector


def test_what_is_wrong_is_told_before_the_first_step(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "page.tar").write_text("<html>not found</html>" * 40)
    write_shard(tmp_path / "words.tar", {"a.txt": b"words"})
    for name, words in {
        "page.tar": "cannot read archive '.*page.tar' to its end: ",
        "words.tar": "no images in shard '.*words.tar'",
        "none.tar": "cannot read shard '.*none.tar': there is no such file",
    }.items():
        with pytest.raises(DataError, match=words):
            opened(str(tmp_path / name))
    with pytest.raises(DataError, match="there is no such file"):
        opened(pattern, str(tmp_path / "none.tar"))
    with pytest.raises(DataError, match="no shard was given"):
        opened()
    with pytest.raises(ConfigError, match="not a multiple of scale 4"):
        opened(pattern, crop=18)
    write_shard(tmp_path / "bad.tar", {"x.png": b"no image"})
    with pytest.raises(DataError, match=r"no image of 1 shards can be decoded: .*x\.png"):
        list(opened(str(tmp_path / "bad.tar")).batches(0, 1, batch_size=1))


def test_any_depth(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((20, 20, 4), 5000, np.uint16))
    write_shard(tmp_path / "n.tar", {"a.npy": (tmp_path / "a.npy").read_bytes()})
    source = opened(str(tmp_path / "n.tar"), pixels=PixelFormat(4, (0, 10000)))
    batch = next(source.batches(0, 1, batch_size=2))
    assert batch.images.shape == (2, 4, 16, 16)
    assert batch.images.dtype == torch.int16


def test_the_fingerprint_follows_names_and_sampling_not_places(pattern: str, tmp_path: Path) -> None:
    elsewhere = make_shards(tmp_path / "elsewhere", COUNTS)
    assert opened(pattern).fingerprint == opened(elsewhere).fingerprint
    for other in ({"seed": 4}, {"shuffle_buffer": 9}, {"crop": 12}):
        assert opened(pattern, **other).fingerprint != opened(pattern).fingerprint

"""Pairs: matched by name, checked by size, cut at the same place in every cache mode."""

import logging
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.data.sampling import CropPlan, MixedPlan
from kornia_srgan.data.source import open_crops
from kornia_srgan.errors import ConfigError, DataError
from tests.helpers.pairs import PAIR_SIZES, coordinates, make_pairs, make_shard

MODES = [("none", 0), ("none", 2), ("ram", 0), ("device", 0)]


@pytest.fixture
def pair(tmp_path):
    return make_pairs(tmp_path / "pairs")


def opened(*pairs, folders=(), cache="ram", workers=0, **options):
    return open_crops(folders, crop=16, pairs=pairs, scale=4, cache=cache, workers=workers, seed=4, **options)


def take(source, start=0, stop=6, **options):
    batches = list(source.batches(start, stop, batch_size=5, **options))
    lr = torch.cat([b.lr for b in batches if b.lr is not None])
    paired = [5 * i + p for i, b in enumerate(batches) for p in b.paired]
    return torch.cat([b.images for b in batches]), lr, paired, [s for b in batches for s in b.seeds]


def assert_same(a, b):
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[1], b[1])
    assert a[2:] == b[2:]


def assert_over_each_other(hr, lr):
    """HR shows LR's pixels as squares."""
    assert torch.equal(hr, lr.repeat_interleave(4, -2).repeat_interleave(4, -1))


@pytest.mark.parametrize("crops_per_image", [1, 3])
def test_crops_lie_over_each_other_in_every_cache_mode(pair, crops_per_image):
    expected = None
    for cache, workers in MODES:
        made = take(opened(pair, cache=cache, workers=workers, crops_per_image=crops_per_image), stop=12)
        assert made[1].shape == (60, 3, 4, 4)
        assert made[1].dtype == torch.uint8
        assert_over_each_other(made[0], made[1])
        assert_same(made, expected or made)
        expected = made
    assert set(expected[1][:, 2].unique().tolist()) == {0, 1, 2, 3}  # of every image, the padded one too
    corners = {tuple(c[:2, 0, 0].tolist()) for c in expected[1]}
    assert len(corners) > 20 // crops_per_image


@pytest.mark.parametrize(("cache", "workers"), MODES)
def test_starting_at_a_step_is_resuming_there_and_ranks_share_it_out(pair, photos, cache, workers):
    def source():
        return opened(pair, folders=photos, cache=cache, workers=workers, pair_share=0.3)

    whole = take(source())
    assert len(whole[2]) == 9  # of 30
    resumed = take(source(), 4, 6)
    assert torch.equal(resumed[0], whole[0][20:])
    assert torch.equal(resumed[1], whole[1][[p >= 20 for p in whole[2]]])
    both = [list(source().batches(0, 6, batch_size=5, rank=r, world_size=2)) for r in (0, 1)]
    seeds = [s for a, b in zip(*both, strict=True) for s in a.seeds + b.seeds]
    assert seeds == whole[3]
    smalls = [x.lr for a, b in zip(*both, strict=True) for x in (a, b) if x.lr is not None]
    assert torch.equal(torch.cat(smalls), whole[1])


def test_a_mixed_batch_says_which_crops_bring_their_own_lr(pair, photos):
    hr, lr, paired, _ = take(opened(pair, folders=photos, pair_share=0.5), stop=20)
    assert len(paired) == 50
    assert_over_each_other(hr[paired], lr)
    part = next(opened(pair, folders=photos).batches(0, 1, batch_size=8)).part(3, 7)
    assert len(part.images) == len(part.seeds) == 4
    assert_over_each_other(part.images[list(part.paired)], part.lr)
    assert next(opened(pair, folders=photos).batches(0, 1, batch_size=8)).part(0, 1).lr is None


def test_any_stretch_holds_the_share():
    plans = [CropPlan([(16, 16)] * n, crop=16, seed=n) for n in (3, 5)]
    plan = MixedPlan(*plans, 0.15)
    images = plan.samples(0, 4000).images
    for start in (0, 7, 999, 3000):
        assert abs(int((images[start : start + 1000] >= 3).sum()) - 150) <= 1
    assert plan.samples(10**9, 10**9 + 1000).images.max() == 7
    np.testing.assert_array_equal(plan.samples(1234, 1300).images, images[1234:1300])
    assert set(images.tolist()) == set(range(8))
    with_pairs = images[images >= 3]
    np.testing.assert_array_equal(with_pairs - 3, plans[1].samples(0, len(with_pairs)).images)


@pytest.mark.parametrize(
    ("hr_name", "lr_name"),
    [
        ("HR/{}.png", "LR/{}.png"),
        ("HR/{}_HR.png", "LR/{}_LR4.png"),
        ("gt/sub/{}.png", "lq/sub/{}_x4.bmp"),
        ("gt/a/{}.png", "lq/X4/{}x4.png"),
        ("both/{}_HR.png", "both/{}_LR4.png"),
        ("both/{}.hr.png", "both/{}.lr.png"),
        ("all/{}.png", "all/LR/{}.png"),
    ],
)
def test_names_are_matched_as_evaluate_does(tmp_path, hr_name, lr_name):
    make_pairs(tmp_path, hr_name=hr_name, lr_name=lr_name)
    roots = [tmp_path / name.split("/")[0] for name in (hr_name, lr_name)]
    roots = [tmp_path / "all", tmp_path / "all/LR"] if hr_name.startswith("all") else roots
    made = take(opened(tuple(roots)))
    assert_over_each_other(made[0], made[1])
    assert opened(tuple(roots)).num_images == 4


def test_lr_of_another_scale_is_left_alone(tmp_path, caplog):
    hr, lr = make_pairs(tmp_path)
    for path in list(lr.iterdir()):
        Image.new("RGB", (9, 9)).save(lr / path.name.replace("x4", "x2"))
    with caplog.at_level(logging.WARNING, "kornia_srgan"):
        assert opened((hr, lr)).num_images == 4
    assert "no HR image" in caplog.text
    assert "and 1 more" in caplog.text


@pytest.mark.parametrize(("cache", "workers"), MODES)
def test_a_shard_holds_both(tmp_path, pair, cache, workers):
    shard = make_shard(tmp_path, tmp_path / "shards/train-0000.tar")
    loose = take(opened(pair))
    for place in (shard, shard.parent):
        packed = take(opened((place, place), cache=cache, workers=workers))
        assert_same(packed, loose)


def test_what_is_missing_is_named_in_one_line(pair):
    lr = pair[1]
    (lr / "1x4.png").unlink()
    with pytest.raises(DataError, match=r"1 of 4 HR images in '.*HR' has no LR image in '.*LR': .*HR/1.png$"):
        opened(pair)
    (lr / "0x4.png").rename(lr / "other.png")
    with pytest.raises(DataError, match=r"2 of 4 .* have .*; without an HR image: .*other.png$"):
        opened(pair)


def test_what_has_the_wrong_size_is_named_in_one_line(pair):
    Image.fromarray(coordinates(9, 13, 0)).save(pair[1] / "0x4.png")
    needs = r"1 of 4 LR images have the wrong size for x4: '.*0x4.png' has 13x9 pixels, '.*0.png' needs 12x9$"
    with pytest.raises(DataError, match=needs):
        opened(pair)


def test_names_that_leave_it_open_are_refused(pair, tmp_path):
    hr, lr = pair
    shutil.copy(lr / "0x4.png", lr / "0_LR.png")
    with pytest.raises(DataError, match=r"several LR images for '.*0.png'"):
        opened(pair)
    (lr / "0_LR.png").unlink()
    shutil.copy(hr / "0.png", hr / "0.bmp")
    with pytest.raises(DataError, match=r"is the LR image of both .*0.bmp.* and .*0.png"):
        opened(pair)
    with pytest.raises(DataError, match=re.escape("in one folder for both, names end in _HR and _LR4")):
        opened((hr, hr))
    with pytest.raises(ConfigError, match="crops of 18 pixels are not a multiple of scale 4"):
        open_crops(pairs=[pair], crop=18, scale=4)


@pytest.mark.parametrize(("cache", "workers"), MODES)
def test_damaged_pairs_are_named_once_and_replaced_by_pairs(pair, photos, caplog, cache, workers):
    hr, lr = pair
    noise = np.random.default_rng(0).integers(0, 256, (*PAIR_SIZES[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(lr / "0x4.png")
    (lr / "0x4.png").write_bytes((lr / "0x4.png").read_bytes()[:200])
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(hr / "2.png").save(hr / "2.png", exif=exif)  # turned, its LR image is not
    with caplog.at_level(logging.WARNING, "kornia_srgan"):
        source = opened(pair, folders=photos, cache=cache, workers=workers)
        made = take(source, stop=20)
    assert len(made[2]) == 50
    assert set(made[1][:, 2].unique().tolist()) == {1, 3}
    assert_over_each_other(made[0][made[2]], made[1])
    assert [caplog.text.count(n) for n in ("0x4.png", "is turned otherwise")] == [1, 1]
    assert source.num_images == 8


def test_a_turned_pair_is_turned_together(pair):
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in (pair[0] / "0.png", pair[1] / "0x4.png"):
        Image.open(path).save(path, exif=exif)
    made = take(opened(pair), stop=20)
    assert_over_each_other(made[0], made[1])


def test_the_fingerprint_knows_pairs_and_share(pair, photos):
    def fingerprint(*pairs, **options):
        return opened(*pairs, **options).fingerprint

    alone, both = fingerprint(folders=photos), fingerprint(pair)
    mixed = fingerprint(pair, folders=photos)
    assert mixed == fingerprint(pair, folders=photos, cache="none")
    assert len({alone, both, mixed, fingerprint(pair, folders=photos, pair_share=0.1)}) == 4
    (pair[1] / "0x4.png").rename(pair[1] / "0.png")
    assert fingerprint(pair) != both

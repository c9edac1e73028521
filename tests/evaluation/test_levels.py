import io

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.evaluation.evaluate import evaluate
from kornia_srgan.evaluation.levels import PHOTO_LEVELS, Level
from tests.helpers.scripts import load_script

NAMES = ["clean", "q90", "q75", "q50n3", "n8"]


@pytest.fixture
def pixels():
    small = np.random.default_rng(3).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((44, 36), Image.Resampling.BICUBIC))


def test_names_and_order():
    assert [level.name for level in PHOTO_LEVELS] == NAMES


def test_clean_changes_nothing(pixels):
    assert (PHOTO_LEVELS[0].degrade(pixels, 0) == pixels).all()


def test_jpeg_is_pillows(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=75)
    expected = np.asarray(Image.open(buffer).convert("RGB"))
    assert (PHOTO_LEVELS[2].degrade(pixels, 5) == expected).all()


def test_noise_has_its_strength_and_its_seed():
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy = PHOTO_LEVELS[4].degrade(grey, 0)
    assert noisy.std() == pytest.approx(8, abs=0.1)
    assert (noisy == PHOTO_LEVELS[4].degrade(grey, 0)).all()
    assert (noisy != PHOTO_LEVELS[4].degrade(grey, 1)).any()


def test_tensors_and_arrays_agree(pixels):
    lr = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    level = Level("both", sigma=3, quality=50)
    assert ((level(lr, 7)[0] * 255).round().byte().permute(1, 2, 0).numpy() == level.degrade(pixels, 7)).all()


def test_equal_to_the_script_that_defines_them(shared_data, pixels):
    script = shared_data.parent / "make_photo_lr.py"
    if not script.exists():
        pytest.skip("make_photo_lr.py is not here")
    module = load_script(script)
    assert list(module.LEVELS) == NAMES
    for level in PHOTO_LEVELS:
        for seed in (0, 13):
            expected = module.degrade(Image.fromarray(pixels), *module.LEVELS[level.name], seed)
            assert (level.degrade(pixels, seed) == np.asarray(expected)).all()


def test_each_level_is_a_set_seeded_by_the_place_among_sorted_names(tmp_path, pixels):
    for name in ("b", "a", "c"):
        (tmp_path / "HR").mkdir(exist_ok=True)
        (tmp_path / "LRx4").mkdir(exist_ok=True)
        Image.fromarray(pixels).resize((176, 144)).save(tmp_path / f"HR/{name}.png")
        Image.fromarray(pixels).save(tmp_path / f"LRx4/{name}.png")
    seen = {}

    class Watch(torch.nn.Module):
        scale = 4

        def forward(self, lr):
            seen.setdefault(len(seen), lr)
            return torch.nn.functional.interpolate(lr, scale_factor=4)

    report = evaluate({"watch": Watch()}, tmp_path, protocol="photo")
    assert report.protocol == "photo/v1"
    assert [row.dataset for row in report.rows if row.model == "watch"] == [
        f"{tmp_path.name} {name}" for name in NAMES
    ]
    for index, lr in seen.items():
        level, seed = PHOTO_LEVELS[index // 3], index % 3
        got = (lr[0] * 255).round().byte().permute(1, 2, 0).numpy()
        assert (got == level.degrade(pixels, seed)).all()

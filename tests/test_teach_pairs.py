"""The pairs of `docs/teach_pairs.py` are LR images and what the teacher's ensemble makes of them."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan import Upscaler
from kornia_srgan.components.transforms.resize import MatlabBicubic
from kornia_srgan.data.images import read_rgb
from tests.helpers.scripts import load_script
from tests.helpers.snippets import ROOT


@pytest.fixture(scope="module")
def script():
    return load_script(ROOT / "docs/teach_pairs.py")


def test_pairs_are_lr_and_the_mean_of_eight_answers(script, tmp_path, monkeypatch, capsys):
    (tmp_path / "photos").mkdir()
    values = np.random.default_rng(0).integers(0, 256, (211, 198, 3), np.uint8)
    Image.fromarray(values).save(tmp_path / "photos" / "noise.png")
    Image.new("RGB", (300, 191)).save(tmp_path / "photos" / "flat.png")
    argv = ["teach_pairs.py", "edsr-light-x4", str(tmp_path / "out"), str(tmp_path / "photos")]
    monkeypatch.setattr(sys, "argv", argv)
    script.main()
    (lr,), (hr,) = (sorted((tmp_path / "out" / part).iterdir()) for part in ("lr", "hr"))
    assert lr.name == hr.name == "00001-noise.png"
    assert "flat.png (LR would be 75 x 47)" in capsys.readouterr().err
    small = read_rgb(lr)
    expected = (
        MatlabBicubic()(torch.from_numpy(values[:208, :196]).movedim(-1, 0)[None] / 255, (52, 49))[0] * 255
    )
    assert np.array_equal(small, expected.round().byte().movedim(0, -1).numpy())
    taught = Upscaler.from_pretrained("edsr-light-x4", ensemble=True, dtype="auto")(small)
    assert np.array_equal(read_rgb(hr), taught)

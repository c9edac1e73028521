"""The pairs of `docs/teach_pairs.py` are LR images and what the teacher makes of them."""

import sys

import numpy as np
import pytest
import torch
import yaml
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
    argv = ["teach_pairs.py", "edge-x4", str(tmp_path / "out"), str(tmp_path / "photos")]
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
    taught = Upscaler.from_pretrained("edge-x4", ensemble=True, dtype="auto")(small)
    assert np.array_equal(read_rgb(hr), taught)


def test_copies_are_damaged_as_the_recipe_says_each_in_another_way(script, tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (208, 200), (90, 120, 60)).save(tmp_path / "photos" / "flat.png")
    config = tmp_path / "config.yaml"
    made = ["resize", {"name": "noise", "args": {"sigma": [9.0, 9.0], "gaussian": 1.0, "grey": 0.0}}]
    noise = {"name": "pipeline", "args": {"stages": made}}
    stages = [{"name": "one", "steps": 1, "losses": ["l1"]}]
    dump = yaml.safe_dump({"generator": "edsr", "data": {"degradation": noise}, "stages": stages})
    config.write_text(dump)
    out = tmp_path / "out"
    argv = ["teach_pairs.py", "edge-x4", str(out), str(tmp_path / "photos"), "--once"]
    monkeypatch.setattr(sys, "argv", [*argv, "--recipe", str(config), "--copies", "2"])
    script.main()
    first, second = (read_rgb(path) for path in sorted((out / "lr").iterdir()))
    assert first.shape == second.shape == (50, 52, 3)
    assert 11 < (first.astype(float) - second).std() < 14  # 9 times the root of 2
    taught = Upscaler.from_pretrained("edge-x4", dtype="auto")(second)
    assert np.array_equal(read_rgb(out / "hr" / "00000-flat-1.png"), taught)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--copies", "0"], "--copies must be 1 or more; got 0"),
        (["--copies", "2"], "--copies is for --recipe"),
    ],
)
def test_copies_that_make_no_sense_are_refused(options, told, script, tmp_path, monkeypatch, capsys):
    argv = ["teach_pairs.py", "edge-x4", str(tmp_path / "out"), str(tmp_path), *options]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit, match="2"):
        script.main()
    assert told in capsys.readouterr().err
    assert not (tmp_path / "out").exists()

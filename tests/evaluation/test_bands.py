"""Images of other channels and depths are scored as they are, in training too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from kornia_srgan import evaluate
from kornia_srgan.data.pixels import PixelFormat
from kornia_srgan.errors import ImageError, UserError
from kornia_srgan.training.run import train
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.scenes import scene_values, write_scene
from tests.helpers.tiny_weights import save_band_weights, save_tiny_weights
from tests.helpers.training import cpu_accelerator, small_config

FOUR = PixelFormat(4, (1000.0, 9000.0))
SIDE = 40


class Same(nn.Module):
    """Enlarges by repeating pixels: what it gives can be said by hand."""

    scale, halo, bands = 2, 0, 4

    def forward(self, lr: Tensor) -> Tensor:
        return lr.repeat_interleave(2, -1).repeat_interleave(2, -2)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """HR and LR as `.npy`, of which LR is off by a step in one band."""
    for number in range(2):
        lr = scene_values(SIDE // 2, SIDE // 2, seed=number).astype(np.float32).clip(1500, 8500)
        hr = lr.repeat(2, 1).repeat(2, 2)
        lr[1] += 80  # a hundredth of the range
        for side, values in (("HR", hr), ("LRx2", lr)):
            (tmp_path / "set" / side).mkdir(parents=True, exist_ok=True)
            np.save(tmp_path / "set" / side / f"{number}.npy", values)
    return tmp_path / "set"


def test_scores_are_those_of_the_stored_values(pairs: Path) -> None:
    metrics = ("psnr", "ssim", "sam", "ergas", "niqe")
    report = evaluate({"same": Same()}, pairs, metrics=metrics, pixels=FOUR)
    assert report.protocol == "bands/v1"
    assert any("left out: niqe (of RGB; choose three bands)" in note for note in report.notes)
    row = next(row for row in report.rows if row.model == "same")
    assert list(row.mean) == ["psnr", "ssim", "sam", "ergas"]
    for number, image in enumerate(row.images):
        hr = np.load(pairs / "HR" / f"{number}.npy").astype(np.float64)[:, 2:-2, 2:-2]
        sr = hr.copy()
        sr[1] += 80
        assert image.metrics["psnr"] == pytest.approx(10 * np.log10(1 / (0.01**2 / 4)), abs=0.01)
        cosine = (sr * hr).sum(0) / np.linalg.norm(sr, axis=0) / np.linalg.norm(hr, axis=0)
        assert image.metrics["sam"] == pytest.approx(np.rad2deg(np.arccos(cosine)).mean(), rel=0.01)
        ergas = 100 / 2 * np.sqrt((80 / hr[1].mean()) ** 2 / 4)
        assert image.metrics["ergas"] == pytest.approx(ergas, rel=0.01)


def test_metrics_of_rgb_get_the_chosen_bands(pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    class Watching:
        on, higher_is_better = "rgb", True

        def __call__(self, images: Tensor, references: Tensor) -> Tensor:
            seen.append(references)
            return torch.zeros(1)

    monkeypatch.setattr("kornia_srgan.evaluation.evaluate.make_metrics", lambda names: {"x": Watching()})
    evaluate({"same": Same()}, pairs, metrics=("x",), pixels=FOUR, shown=(2, 1, 0))
    hr = np.load(pairs / "HR/0.npy")[[2, 1, 0], 2:-2, 2:-2]
    np.testing.assert_allclose(seen[0][0].numpy(), (hr - 1000) / 8000, atol=0.51 / 255)


def test_the_command_reads_geotiff(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("rasterio")
    weights = save_band_weights(tmp_path / "four.safetensors")
    write_scene(tmp_path / "scenes/a.tif", scene_values(48, 52))
    line = ("evaluate", "--weights", weights, "--data", tmp_path / "scenes")
    result = invoke(capsys, *line, "--metric", "psnr", "--metric", "sam", "--json", tmp_path / "r.json")
    assert result.code == 0, result.err
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["protocol"] == "bands/v1"
    assert {row["model"] for row in written["rows"]} == {"bicubic", "four"}
    assert_user_error(invoke(capsys, *line, "--protocol", "ledig-y"), "is for RGB photographs", "take bands")
    assert_user_error(invoke(capsys, *line, "--bands", "2,1,4"), "each from 0 to 3")
    assert_user_error(invoke(capsys, *line, "--bands", "red"), "such as 2,1,0")
    assert_user_error(invoke(capsys, *line, "--crops", tmp_path / "crops"), "--bands 2,1,0")
    other = save_tiny_weights(tmp_path)
    assert_user_error(invoke(capsys, *line, "--weights", other), "of other channels or ranges", "apart")


def test_other_bands_are_named(pairs: Path) -> None:
    np.save(pairs / "HR/0.npy", scene_values(SIDE, SIDE, bands=3))
    with pytest.raises(ImageError, match="it has 3 bands, the run has channels 4"):
        evaluate({}, pairs, scale=2, metrics=("psnr",), pixels=FOUR)
    with pytest.raises(UserError, match="same takes 4 channels, the images have 2"):
        evaluate({"same": Same()}, pairs, pixels=PixelFormat(2, (0.0, 1.0)))


def test_a_run_on_bands_is_validated(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / "data").mkdir(exist_ok=True)
        np.save(tmp_path / f"data/{number}.npy", scene_values(44, 40, seed=number))
    config = small_config(
        channels=4,
        data__range=[0, 10000],
        data__folders=[str(tmp_path / "data")],
        stages__0__steps=2,
        stages__1__steps=2,
        validation={"folder": str(tmp_path / "data"), "every": 4, "bands": [2, 1, 0]},
    )
    assert train(config, tmp_path / "run", accelerator=cpu_accelerator())
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    scores = [line for line in lines if "val_psnr" in line][-1]
    assert {"val_psnr", "val_ssim", "val_sam", "val_ergas"} <= scores.keys()
    with Image.open(tmp_path / "run/validation/step-00000004.png") as picture:
        grid = np.asarray(picture)
    hr = grid[:44, 2 * 192 : 2 * 192 + 40]
    first = scene_values(44, 40, seed=0)[[2, 1, 0]].transpose(1, 2, 0)
    for band in range(3):
        low, high = np.percentile(first[..., band], [2, 98])
        stretched = ((first[..., band] - low) / (high - low)).clip(0, 1) * 255
        assert np.abs(hr[..., band] - stretched).max() <= 2

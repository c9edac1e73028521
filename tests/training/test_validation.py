"""Scores, pictures and plots of a run, held against what they show."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from kornia_srgan.assembly import load_generator
from kornia_srgan.errors import DataError
from kornia_srgan.evaluation.datasets import find_sets
from kornia_srgan.evaluation.pairs import read_pair
from kornia_srgan.evaluation.protocols import get_protocol, make_metrics
from kornia_srgan.registry.catalog import RESIZERS
from kornia_srgan.training import journal as journal_module
from kornia_srgan.training.journal import Journal, plot_losses
from kornia_srgan.training.run import train
from kornia_srgan.training.run_folder import RunFolder
from kornia_srgan.training.validation import FolderValidator
from tests.helpers.training import (
    Killed,
    cpu_accelerator,
    killer,
    make_photos,
    small_config,
    state_of,
    tensors_equal,
)

TILE = 192


class Grey(nn.Module):
    """A generator whose pictures are known."""

    def forward(self, lr: Tensor) -> Tensor:
        return torch.full((1, 3, 4 * lr.shape[-2], 4 * lr.shape[-1]), 0.5)


def test_the_grid_shows_bicubic_then_the_generators_then_the_original(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    (tmp_path / "val").mkdir()
    Image.fromarray(pixels).save(tmp_path / "val/one.png")  # 320 x 240
    resizer = RESIZERS.create("matlab_bicubic")
    validator = FolderValidator.open(
        tmp_path / "val",
        metrics=make_metrics(["ssim", "sam"]),
        scale=4,
        every=1,
        pictures=4,
        resizer=resizer,
        folder=RunFolder(tmp_path / "run"),
        device=torch.device("cpu"),
    )
    assert list(validator(Grey(), 7)) == ["ssim", "sam"]
    with Image.open(tmp_path / "run/validation/step-00000007.png") as picture:
        grid = np.asarray(picture)
    assert grid.shape == (TILE, 3 * TILE, 3)
    top, left = (240 - TILE) // 2, (320 - TILE) // 2
    original = pixels[top : top + TILE, left : left + TILE]
    bicubic, made, shown = np.split(grid, 3, axis=1)
    assert np.array_equal(shown, original)
    assert (made == 128).all()
    lr = resizer(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255, (60, 80))
    lr = lr.clamp(0, 1).mul(255).round() / 255
    enlarged = resizer(lr, (240, 320))[0].permute(1, 2, 0)[top : top + TILE, left : left + TILE]
    assert np.abs(bicubic / 255 - enlarged.clamp(0, 1).numpy()).max() <= 1.01 / 255
    assert np.abs(bicubic.astype(int) - original).mean() > 5  # it is not the original


def test_a_tiny_image_is_named_before_the_first_step(tmp_path: Path) -> None:
    photos, images = make_photos(tmp_path / "photos"), make_photos(tmp_path / "val", 2)
    Image.new("RGB", (3, 3)).save(images / "tiny3x3.png")
    config = small_config(data__folders=[str(photos)], validation={"folder": str(images), "every": 12})
    with pytest.raises(DataError, match=r"tiny3x3\.png is too small .* 3x3 pixels, at least 20x20"):
        train(config, tmp_path / "run", accelerator=cpu_accelerator())


def test_the_logged_score_is_that_of_the_weights(tmp_path: Path) -> None:
    """What was written at the last step scores, loaded from its file, what was logged there."""
    photos, images = make_photos(tmp_path / "photos"), make_photos(tmp_path / "val", 2)
    config = small_config(data__folders=[str(photos)], validation={"folder": str(images), "every": 12})
    assert train(config, tmp_path / "run", accelerator=cpu_accelerator())
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    (logged,) = [line for line in lines if line["total"] == 12 and "val_psnr" in line]
    module = load_generator(tmp_path / "run/generator.safetensors").module
    scores = []
    for image in find_sets(images, 4)[0].images:
        lr, hr = read_pair(image, 4)
        with torch.no_grad():
            scores.append(get_protocol("ledig-y").score(module(lr), hr, scale=4))
    for name in ("psnr", "ssim"):
        assert logged[f"val_{name}"] == pytest.approx(sum(s[name] for s in scores) / 2, rel=1e-5), name


def test_the_best_generator_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: Any) -> None:
    """Of scores that rise and fall it is the one in the middle, also after the run was resumed."""
    states: list[dict[str, Tensor]] = []

    def score(self: FolderValidator, generator: nn.Module, total: int) -> dict[str, float]:
        states.append(state_of(generator))
        assert not generator.training
        return {"psnr": {4: 20.0, 6: 25.0, 8: 30.0, 12: 28.0}[total]}

    monkeypatch.setattr(FolderValidator, "__call__", score)
    kill_at(9)
    photos, images = make_photos(tmp_path / "photos"), make_photos(tmp_path / "val", 1)
    config = small_config(data__folders=[str(photos)], validation={"folder": str(images), "every": 4})
    with pytest.raises(Killed):
        train(config, tmp_path / "run", accelerator=cpu_accelerator(), on_step=killer)
    kill_at(-1)
    assert train(config, tmp_path / "run", resume=True, accelerator=cpu_accelerator())
    best = load_file(tmp_path / "run/best.safetensors")
    assert [tensors_equal(best, state) for state in states] == [False, False, True, False]


def test_the_plot_draws_every_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, list[tuple[float, float]]] = {}
    original = Figure.savefig

    def savefig(self: Figure, *args: Any, **kwargs: Any) -> None:
        for axes in self.axes:
            drawn[axes.get_title()] = [(x, y) for x, y in axes.lines[0].get_xydata().tolist()]
        original(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", savefig)
    lines: list[dict[str, Any]] = [
        {"stage": "a", "step": 2, "total": 2, "lr": 1e-3, "images_per_s": 9.0, "l1": 0.5, "g_grad_norm": 3.0},
        {"total": 3, "event": "non-finite l1"},
        {"stage": "b", "step": 2, "total": 4, "lr": 1e-3, "images_per_s": 9.0, "l1": 0.25, "d_true": None},
        {"total": 4, "val_psnr": 21.5},
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (tmp_path / "metrics.jsonl").write_text(text + '{"stage": "b", "st')
    plot_losses(tmp_path / "metrics.jsonl", tmp_path / "losses.png")
    assert drawn == {"l1": [(2, 0.5), (4, 0.25)], "g_grad_norm": [(2, 3.0)], "val_psnr": [(4, 21.5)]}
    with Image.open(tmp_path / "losses.png") as picture:
        assert picture.format == "PNG"


def test_the_plot_is_drawn_at_the_end_and_before_it_at_most_twice_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, drawn = [0.0], []
    monkeypatch.setattr(journal_module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(journal_module, "plot_losses", lambda metrics, picture: drawn.append(now[0]))
    journal = Journal(RunFolder(tmp_path), cpu_accelerator())
    journal.plot(final=True)
    assert drawn == []  # nothing has been logged
    (tmp_path / "metrics.jsonl").touch()
    for now[0] in (1.0, 29.0, 31.0, 45.0, 60.0, 62.0):
        journal.plot()
    assert drawn == [31.0, 62.0]
    journal.plot(final=True)
    assert drawn == [31.0, 62.0, 62.0]

"""Trackers that are installed receive what metrics.jsonl receives."""

import json
from pathlib import Path

import pytest

from kornia_srgan.training.run import train
from tests.training.helpers import make_photos, small_config


def run_with(tracker: str, folder: Path) -> list[dict[str, float]]:
    """Two short stages; what metrics.jsonl says of them."""
    config = small_config(
        data__folders=[str(make_photos(folder / "photos"))], train__trackers=[tracker], train__log_every=3
    )
    assert train(config, folder / "run")
    return [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]


def test_tensorboard_gets_every_logged_number(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logged = run_with("tensorboard", tmp_path)
    folders = {path.parent for path in (tmp_path / "run/kornia_srgan").glob("events.out.tfevents.*")}
    assert len(folders) == 1
    found = events.EventAccumulator(str(folders.pop()))
    found.Reload()
    for line in logged:
        assert {"lr", "g_grad_norm"} <= line.keys()
        for name, value in line.items():
            if isinstance(value, str):
                continue
            by_step = {event.step: event.value for event in found.Scalars(name)}
            assert by_step[int(line["total"])] == pytest.approx(value, rel=1e-6), name
    assert [event.step for event in found.Scalars("mse")] == [3, 6]
    assert [event.step for event in found.Scalars("adversarial")] == [9, 12]


def test_wandb_offline_gets_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    run_with("wandb", tmp_path)
    (record,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    content = record.read_bytes()
    for name in (b"g_grad_norm", b"adversarial", b"images_per_s"):
        assert name in content

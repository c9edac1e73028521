"""Trackers that are installed receive what metrics.jsonl receives."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kornia_srgan.training.run import train
from tests.helpers.training import make_photos, small_config


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


_BLOCK = 2**15  # wandb keeps records as LevelDB does: in blocks, each part with checksum, length and kind
_LAST = (1, 4)


def wandb_records(path: Path) -> Iterator[Any]:
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if _BLOCK - at % _BLOCK < 7:
            at += _BLOCK - at % _BLOCK
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in _LAST:
            yield Record.FromString(parts)
            parts = b""


def test_wandb_offline_gets_every_logged_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    logged = run_with("wandb", tmp_path)
    (file,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    records = list(wandb_records(file))
    rows = [
        {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]
    found = {row["_step"]: row for row in rows}
    assert list(found) == [3, 6, 9, 12]
    for line in logged:
        numbers = {name: value for name, value in line.items() if not isinstance(value, str)}
        assert {"lr", "g_grad_norm"} <= numbers.keys()
        assert numbers.items() <= found[line["total"]].items()
    told = {item.key or item.nested_key[0] for r in records for item in r.run.config.update}
    told |= {item.key or item.nested_key[0] for r in records for item in r.config.update}
    assert {"train.lr", "generator.name", "stages.1.adversarial.weight"} <= told

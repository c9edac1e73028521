"""Checkpoints: written atomically, found automatically, pruned to the newest."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from safetensors import SafetensorError

from kornia_srgan.errors import ConfigError, TrainingError
from kornia_srgan.explain import one_line

_STATE = "state.json"
_PARTIAL = ".partial"
_LEAST_SPACE = 2**20


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        stage: Index of the stage.
        step: Steps done in it.
        total: Steps done in the run; it determines the data of the next step.
        lr_factor: Factor of all learning rates; halved after a rollback.
        best: The best validation score so far.
    """

    stage: int = 0
    step: int = 0
    total: int = 0
    lr_factor: float = 1.0
    best: float | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint.

    Attributes:
        path: Its folder.
        progress: The progress of its run.
        identity: The identity of its run; see `check_identity`.
        positions: Where each process stood in streamed data; none for other data.
    """

    path: Path
    progress: Progress
    identity: dict[str, Any]
    positions: tuple[dict[str, Any], ...] = ()

    def position(self, rank: int) -> dict[str, Any] | None:
        """Where a process stood in streamed data, if it was."""
        return self.positions[rank] if self.positions else None


def save_checkpoint(
    folder: Path,
    progress: Progress,
    identity: dict[str, Any],
    accelerator: Accelerator,
    *,
    keep_last: int,
    positions: tuple[dict[str, Any], ...] = (),
) -> Checkpoint:
    """Write a checkpoint under a temporary name, rename it when it is complete, and prune the oldest.

    Args:
        folder: The folder of all checkpoints.
        progress: Stored in it as JSON.
        identity: What a resumed run must match, see `check_identity`.
        accelerator: Saves the networks, optimizers, scaler and averages.
        keep_last: How many to keep.
        positions: Where each process stands in streamed data.

    Returns:
        The checkpoint, under its final name.

    Raises:
        TrainingError: If it cannot be written; earlier checkpoints are untouched.
    """
    final = folder / f"step-{progress.total:08d}"
    partial = folder / f"{final.name}{_PARTIAL}"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
    accelerator.wait_for_everyone()
    try:
        partial.mkdir(parents=True, exist_ok=True)
        accelerator.save_state(str(partial))
        if accelerator.is_main_process:
            state = {"progress": asdict(progress), "identity": identity}
            state |= {"positions": positions} if positions else {}
            (partial / _STATE).write_text(json.dumps(state, indent=1), "utf-8")
            for file in partial.iterdir():
                _flush(file)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = _why_not_written(error, folder)
        shutil.rmtree(partial, ignore_errors=True)
        left = newest_checkpoint(folder)
        kept = f"the newest complete one is {left}" if left else "there is none yet"
        raise TrainingError(
            f"checkpoint {final} could not be written: {reason}; {kept}", where=final
        ) from error
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)
        for old in _complete(folder)[:-keep_last]:
            shutil.rmtree(old, ignore_errors=True)
    accelerator.wait_for_everyone()
    return Checkpoint(final, progress, identity, positions)


def _why_not_written(error: Exception, folder: Path) -> str:
    """The reason in one line; torch reports a full disk as an error of its zip writer."""
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if shutil.disk_usage(there).free < _LEAST_SPACE:
        return "no space is left on the disk"
    return one_line(error)


def _flush(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _complete(folder: Path) -> list[Path]:
    found = folder.glob("step-*") if folder.is_dir() else []
    return sorted(p for p in found if p.suffix != _PARTIAL and (p / _STATE).is_file())


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint, or None."""
    complete = _complete(folder)
    return complete[-1] if complete else None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the folder of a complete checkpoint."""
    state = json.loads((path / _STATE).read_text("utf-8"))
    positions = tuple(state.get("positions", ()))
    return Checkpoint(path, Progress(**state["progress"]), state["identity"], positions)


def check_identity(checkpoint: Checkpoint, expected: dict[str, Any]) -> None:
    """Refuse to resume a different run.

    Raises:
        ConfigError: If it differs; the message names the first difference and both values.
    """
    found = checkpoint.identity
    for key in sorted(found.keys() | expected.keys()):
        if found.get(key) != expected.get(key):
            raise ConfigError(
                f"--resume: {key} was {found.get(key)!r} in {checkpoint.path} "
                f"and is {expected.get(key)!r} now; a resumed run continues the same recipe on the same data "
                "with the same number of processes. "
                "Start a new run with another --output (and init: to begin from the old weights)",
                where=checkpoint.path,
            )

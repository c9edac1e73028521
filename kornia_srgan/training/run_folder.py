"""The folder of a run: resolved config, environment, metrics, checkpoints and weights."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kornia_srgan._version import __version__
from kornia_srgan.atomic import write_text
from kornia_srgan.config.io import dump_config
from kornia_srgan.config.model import TrainConfig
from kornia_srgan.environment import git_revision, package_version
from kornia_srgan.errors import DataError

_PACKAGES = ("torch", "kornia", "timm", "accelerate", "safetensors", "numpy", "pillow")


@dataclass(frozen=True)
class RunFolder:
    """The layout of a run's folder."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config, which `train` can read again."""
        return self.path / "config.yaml"

    @property
    def metrics(self) -> Path:
        """Losses, learning rates and scores, one JSON object per line."""
        return self.path / "metrics.jsonl"

    @property
    def plot(self) -> Path:
        """The plot of the losses."""
        return self.path / "losses.png"

    @property
    def checkpoints(self) -> Path:
        """Folders to resume from."""
        return self.path / "checkpoints"

    @property
    def final(self) -> Path:
        """The generator at the end of the run."""
        return self.path / "generator.safetensors"

    @property
    def best(self) -> Path:
        """The generator with the best validation score."""
        return self.path / "best.safetensors"

    def stage_weights(self, stage: str) -> Path:
        """The generator at the end of a stage."""
        return self.path / f"{stage}.safetensors"

    def picture(self, total: int) -> Path:
        """The validation grid of a step."""
        return self.path / "validation" / f"step-{total:08d}.png"

    def check(self, *, resume: bool) -> None:
        """Check that the folder can be used, without creating it.

        Raises:
            DataError: If it cannot be written, or holds a run and `resume` is False.
        """
        if not resume and self.checkpoints.is_dir() and any(self.checkpoints.iterdir()):
            raise DataError(
                f"output folder {self.path} already holds a run; add --resume to continue it, "
                "or give another --output",
                where=self.path,
            )
        nearest = next(p for p in (self.path, *self.path.absolute().parents) if p.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            reason = "is not a folder" if not nearest.is_dir() else "may not be written to"
            raise DataError(
                f"output folder {self.path} cannot be written: {nearest} {reason}", where=self.path
            )

    def open(self, config: TrainConfig) -> None:
        """Create the folder and write the resolved config and the environment.

        Raises:
            DataError: If it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(
                f"output folder {self.path} cannot be written: {error.strerror}", where=self.path
            ) from error
        write_text(
            self.path / "environment.json", json.dumps(describe_surroundings(), indent=1) + "\n", DataError
        )
        write_text(self.config, dump_config(config), DataError)


def describe_surroundings() -> dict[str, Any]:
    """Versions, machine and git revision, to reproduce the run."""
    return {
        "kornia_srgan": __version__,
        "git": git_revision() or None,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: package_version(name) for name in _PACKAGES},
        "command": sys.argv,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }

"""Hooks into a run: one for every step, and a validator at intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from torch import nn

from kornia_srgan.data.batch import CropBatch
from kornia_srgan.training.checkpoint import Progress
from kornia_srgan.training.players import ActiveStage
from kornia_srgan.training.stage import StepResult


@dataclass(frozen=True)
class StepEvent:
    """The beginning or end of a step.

    Attributes:
        stage: The networks and their optimizers.
        crops: The step's HR crops on this process.
        progress: The progress before the step; `progress.total` is the number of the step, from 0.
        average: The running average of the generator, if there is one.
        result: The result of the step; None at its beginning.
    """

    stage: ActiveStage
    crops: CropBatch
    progress: Progress
    average: nn.Module | None = None
    result: StepResult | None = None


StepHook: TypeAlias = Callable[[StepEvent], None]
"""Called at the beginning of each step, with `result` None, and at its end; on every process."""


class Validator(Protocol):
    """Scores a generator at intervals; higher is better."""

    every: int

    def __call__(self, generator: nn.Module, total: int) -> dict[str, float]:
        """Scores by name; `psnr` decides which generator is best."""
        ...

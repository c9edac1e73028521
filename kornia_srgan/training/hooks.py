"""What looks at a run from outside: a hook for every step, a validator at intervals."""

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
    """A step that begins or has ended.

    Attributes:
        stage: The networks and their optimizers.
        crops: The step's HR crops on this process.
        progress: Where the run stood before the step; `progress.total` is the step's number, from 0.
        average: The running average of the generator, where there is one.
        result: What the step did; None before it.
    """

    stage: ActiveStage
    crops: CropBatch
    progress: Progress
    average: nn.Module | None = None
    result: StepResult | None = None


StepHook: TypeAlias = Callable[[StepEvent], None]
"""Called before each step, with `result` None, and after it; on every process."""


class Validator(Protocol):
    """Scores a generator at intervals; the higher the better."""

    every: int

    def __call__(self, generator: nn.Module, total: int) -> dict[str, float]:
        """Scores by name; `psnr` decides which generator is best."""
        ...

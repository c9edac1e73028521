"""Losses that are no number at some of their calls."""

from __future__ import annotations

from collections.abc import Collection

import pytest
import torch

from kornia_srgan.components.losses.pixel import MSELoss
from kornia_srgan.training import trainer

_FORWARD = MSELoss.forward


def lose_at(monkeypatch: pytest.MonkeyPatch, bad: Collection[int]) -> None:
    """Make `mse` NaN at these calls, counted from 1; two such steps in a row roll a run back."""
    calls = []

    def forward(self: MSELoss, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        calls.append(None)
        return _FORWARD(self, sr, hr) * (float("nan") if len(calls) in bad else 1.0)

    monkeypatch.setattr(MSELoss, "forward", forward)
    monkeypatch.setattr(trainer, "BAD_STEPS_BEFORE_ROLLBACK", 2)

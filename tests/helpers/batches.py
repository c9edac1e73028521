"""Batches and losses for tests of a step."""

import torch
from torch import nn

from kornia_srgan.contracts import Batch


def random_batch(size: int = 4) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.rand(size, 3, 4, 4), torch.rand(size, 3, 16, 16))


def halves(batch: Batch) -> list[Batch]:
    return [Batch(lr, hr) for lr, hr in zip(batch.lr.chunk(2), batch.hr.chunk(2), strict=True)]


class Poisoned(nn.Module):
    """A loss that is not a number."""

    def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        return (sr - hr).mean() * float("nan")

"""BatchNorm's running statistics under other rules for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    """Every BatchNorm inside."""
    return [inner for inner in module.modules() if isinstance(inner, _BatchNorm)]


@contextmanager
def norm_momentum(module: nn.Module, momentum: float | None) -> Iterator[None]:
    """Give every BatchNorm inside another momentum, and its own back on leaving.

    Args:
        module: The network.
        momentum: 0 keeps the statistics as they are; None takes the plain mean of all that is seen.
    """
    norms = batch_norms(module)
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = momentum
    try:
        yield
    finally:
        for norm, old in zip(norms, before, strict=True):
            norm.momentum = old

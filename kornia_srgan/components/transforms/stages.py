"""Degradation stages put together: out of the registry, in order, or in either order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

from kornia_srgan.components.transforms.seeding import to_device
from kornia_srgan.components.transforms.stage_tools import check_share
from kornia_srgan.contracts import Canvas, DegradationStage
from kornia_srgan.errors import ArgumentError
from kornia_srgan.rng import draw_bits, draw_uniform

Stage: TypeAlias = DegradationStage | str | dict[str, Any]
"""A stage, or how one is written: a name of the registry, or `{"name": ..., "args": {...}}`."""


def build_stages(stages: Sequence[Stage], *, path: str) -> tuple[DegradationStage, ...]:
    """The stages; those that are written as a name or as `{name, args}` are built.

    Raises:
        ArgumentError: If one is written otherwise, or its arguments do not fit.
        UnknownComponentError: If there is no such stage.
    """
    from kornia_srgan.registry.catalog import DEGRADATION_STAGES

    return tuple(DEGRADATION_STAGES.resolve(stage, path=f"{path}.{i}") for i, stage in enumerate(stages))


def run_stages(
    stages: Sequence[DegradationStage],
    canvas: Canvas,
    seeds: Sequence[int],
    size: tuple[int, int],
    *,
    stream: str,
) -> Canvas:
    """Run stages one after the other, each with seeds of its own."""
    for i, stage in enumerate(stages):
        own = draw_bits(seeds, stream=f"{stream}.{i}")[:, 0].tolist()
        canvas = stage(canvas, own, size)
    return canvas


class EitherOrder:
    """Two groups of stages; each image goes through one first or the other first.

    Args:
        first: Stages: objects, names or `{name, args}`.
        second: Likewise.
        p: Probability that `first` comes first.

    Raises:
        ArgumentError: If an argument is out of range.
    """

    def __init__(
        self,
        *,
        first: tuple[Stage, ...],
        second: tuple[Stage, ...],
        p: float = 0.5,
    ) -> None:
        self.first = build_stages(first, path="either_order.first")
        self.second = build_stages(second, path="either_order.second")
        self.p = check_share("either_order: p", p)

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Send each image its way; all come back on canvases of one size.

        Raises:
            ArgumentError: If the two orders end on canvases of different size.
        """
        ahead = draw_uniform(seeds, stream="either_order")[:, 0] < self.p
        parts: list[tuple[np.ndarray, Canvas]] = []
        for chosen, groups in (
            (np.flatnonzero(ahead), (("first", self.first), ("second", self.second))),
            (np.flatnonzero(~ahead), (("second", self.second), ("first", self.first))),
        ):
            if len(chosen):
                own = [seeds[i] for i in chosen.tolist()]
                part = _take(canvas, chosen)
                for name, stages in groups:
                    part = run_stages(stages, part, own, size, stream=f"either_order.{name}")
                parts.append((chosen, part))
        return _put_together(parts)


def _take(canvas: Canvas, chosen: np.ndarray) -> Canvas:
    index = to_device(chosen, canvas.pixels, torch.int64)
    return Canvas(
        canvas.pixels.index_select(0, index),
        tuple(canvas.heights[i] for i in chosen.tolist()),
        tuple(canvas.widths[i] for i in chosen.tolist()),
    )


def _put_together(parts: Sequence[tuple[np.ndarray, Canvas]]) -> Canvas:
    if len({p.pixels.shape[-2:] for _, p in parts}) > 1:
        raise ArgumentError(
            "either_order: both orders must end at one size; put a 'resize' into a group",
            where="either_order",
        )
    order = np.argsort(np.concatenate([chosen for chosen, _ in parts]))
    pixels = torch.cat([p.pixels for _, p in parts])
    whole = Canvas(
        pixels,
        tuple(h for _, p in parts for h in p.heights),
        tuple(w for _, p in parts for w in p.widths),
    )
    return _take(whole, order)

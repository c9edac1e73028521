"""Families of packaged weights with a common ancestor, which can be interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Family:
    """Packaged weights of one architecture and one ancestor.

    Attributes:
        clean: Weights for pictures without noise and compression.
        photo: Weights that remove noise and compression.
        gan: Weights trained from `photo` as a GAN: crisper, they invent texture; None if there are none.
    """

    clean: str
    photo: str
    gan: str | None = None


FAMILIES = (
    Family("edsr-x4", "photo-x4", "photo-gan-x4"),
    Family("edsr-x2", "photo-x2"),
    Family("edsr-large-x4", "photo-large-x4"),
)


def family_of(source: str | Path) -> Family | None:
    """The family whose `photo` weights are `source`; None for all other weights.

    The `clean` weights, requested by name, are used as they are.
    """
    if isinstance(source, Path):
        return None
    name = source.strip().lower().replace("_", "-")
    return next((family for family in FAMILIES if family.photo == name), None)

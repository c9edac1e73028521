"""Packaged weights that descend from each other, so that what lies between them is a network too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Family:
    """Packaged weights of one architecture and one ancestor.

    Attributes:
        clean: For pictures without noise and compression.
        photo: Takes noise and compression away.
    """

    clean: str
    photo: str


FAMILIES = (Family("edsr-x4", "photo-x4"),)


def family_of(source: str | Path) -> Family | None:
    """The family whose dial `source` names: that of its `photo` weights; None for all other weights.

    The other members stay what they are when they are asked for by name.
    """
    if isinstance(source, Path):
        return None
    name = source.strip().lower().replace("_", "-")
    return next((family for family in FAMILIES if family.photo == name), None)

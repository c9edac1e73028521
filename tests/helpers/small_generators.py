"""Registered generators in their smallest size."""

from torch import nn

from kornia_srgan.errors import UserError
from kornia_srgan.registry.catalog import GENERATORS

SMALL = {"channels": 8, "num_blocks": 1, "num_convs": 2, "growth_channels": 4}


def small(name: str, **arguments: object) -> nn.Module:
    """The component with its size arguments, where it has such, turned down."""
    known = GENERATORS.get(name).parameters()
    return GENERATORS.create(name, **{k: v for k, v in SMALL.items() if k in known} | arguments)


def scales(name: str) -> list[int]:
    found = []
    for scale in (1, 2, 3, 4, 5, 6, 7, 8):
        try:
            small(name, scale=scale)
        except UserError:
            continue
        found.append(scale)
    return found

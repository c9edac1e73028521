"""Registered discriminators in their smallest size."""

from torch import nn

from kornia_srgan.registry.catalog import DISCRIMINATORS

SMALL = {"filters": (8, 8, 16), "strides": (1, 2, 2), "dense": 16, "channels": 8, "weights": "random"}


def small(name: str, **arguments: object) -> nn.Module:
    known = DISCRIMINATORS.get(name).parameters()
    return DISCRIMINATORS.create(name, **{k: v for k, v in SMALL.items() if k in known} | arguments)

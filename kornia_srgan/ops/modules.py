"""What torch's type stubs do not say about its modules: sizes of a convolution, the layout of weights."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def to_channels_last(module: AnyModule) -> AnyModule:
    """Lay out a module's `(O, C, kh, kw)` tensors channels-last, in place, and return the module."""
    # torch documents `memory_format`, but none of the overloads of `Module.to` in its stubs takes it alone.
    return module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def kernel_and_padding(conv: nn.Conv2d) -> tuple[tuple[int, int], tuple[int, int]]:
    """The height and width of a convolution's kernel, and of its padding on one side, in pixels.

    Raises:
        ValueError: If the padding is given by name (`same`, `valid`).
    """
    if isinstance(conv.padding, str):
        raise ValueError(f"the padding of the convolution must be given in pixels; it is '{conv.padding}'")
    (height, width), (above, left) = conv.kernel_size, conv.padding
    return (height, width), (above, left)

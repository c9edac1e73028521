"""Every architecture that spandrel knows, as a generator that trains, tiles and is saved like all others."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol, Self, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan.community import StatesArguments, build_community
from kornia_srgan.errors import ArgumentError, ImageError
from kornia_srgan.geometry import measure_halo

# What tiles share where a network sees further than tiles can afford, and half of it is faded over.
_OVERLAP = 32
_WIDE_OVERLAP = 64  # for networks whose authors advise against tiles
_LONGEST = 128  # a reach of more than half of this is not measured: it would take long and help little
# Networks of convolutions alone. The others' views fail on tensors that are laid out channels-last.
_CONVOLUTIONAL = frozenset(
    ["Compact", "DnCNN", "DRUNet", "ESRGAN", "MoESR", "MoSR", "NAFNet", "PLKSR", "RCAN", "RealCUGAN"]
)
_CUT_THEMSELVES = frozenset({"IPT"})  # into patches, whatever the size of the image
_DRAWING = frozenset({"AuraSR", "GFPGAN"})  # random numbers, in each forward
_SIDES = {"GFPGAN": 512}  # of the only size that a network takes
_WINDOW_ARGUMENTS = ("window_size", "win_size")


class _StyleNetwork(Protocol):
    dim_in: int


@runtime_checkable
class _Styled(Protocol):
    """AuraSR: it draws a style for the picture."""

    style_network: _StyleNetwork


class SpandrelGenerator(nn.Module):
    """A network of the community in this package's manner; needs spandrel (extra `community`).

    `(B, 3, h, w)` in [0, 1] to `(B, 3, scale*h, scale*w)` near [0, 1], unclamped, for every size: the image
    is padded to what the network asks for by reflection, as spandrel does. A network for grey images enlarges
    red, green and blue one by one; one with transparency sees an opaque image. One that draws random numbers
    draws the same ones each time in evaluation mode, so that the same picture always gives the same.

    Attributes:
        halo: The measured reach. Where that is more than 64 pixels (global attention or pooling, many
            windows): 32, or 64 where its authors advise against tiles.
        blend: LR pixels on each side of a seam over which tiles fade into each other, where the halo does
            not cover the reach; else 0.
        supported_dtypes: What the network can compute in.
        side: Height and width of the only images that the network takes, which smaller ones are padded to;
            None for networks that take any.
        keeps_layout: Whether its tensors must not be laid out channels-last.

    Args:
        scale: Factor of enlargement, 1 for restoration.
        architecture: Its name in spandrel, such as `HAT`, `SwinIR`, `DAT`, `RealPLKSR`.
        model: The network's class, for architectures that have several.
        arguments: The class's arguments, as in spandrel; the scale's need not be given.
        overlap: The halo, where it was measured before.
        blend: Likewise.

    Raises:
        MissingExtraError: If spandrel is not installed.
        ArgumentError: If there is no such architecture, or an argument does not fit.
        ImageError: By a forward, if the image is larger than `side`.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        architecture: str = "Compact",
        model: str = "",
        arguments: dict[str, Any] | None = None,
        overlap: int | None = None,
        blend: int = 0,
    ) -> None:
        super().__init__()
        if scale < 1:
            raise ArgumentError(f"scale must be 1 or more; got {scale!r}", where="scale")
        self.network, described = build_community(architecture, model, arguments or {}, scale)
        self.scale = scale
        self.architecture = architecture = described.architecture.id
        self.channels = described.input_channels
        if self.channels not in (1, 3, 4) or described.output_channels != self.channels:
            raise ArgumentError(
                f"{architecture} takes {self.channels} channels and gives {described.output_channels}; "
                "only networks from grey to grey, RGB to RGB and RGBA to RGBA can be used",
                where="architecture",
            )
        self.requirements = described.size_requirements
        self.align = math.lcm(self.requirements.multiple_of, *self._windows())
        self.supported_dtypes = (
            "float32",
            *(("float16",) if described.supports_half else ()),
            *(("bfloat16",) if described.supports_bfloat16 else ()),
        )
        self.side = _SIDES.get(architecture)
        self.keeps_layout = architecture not in _CONVOLUTIONAL
        self._call = described._call_fn
        self._discouraged = described.tiling.name != "SUPPORTED"
        cuts_itself = described.tiling.name == "INTERNAL" or architecture in _CUT_THEMSELVES
        self._whole = cuts_itself or described.purpose == "FaceSR" or self.requirements.square
        if overlap is not None:
            self._shared = overlap, blend

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """As `nn.Module` does for `to` and its like, but for the layout where that must stay."""

        def keep(tensor: Tensor) -> Tensor:
            # torch cannot lay out five dimensions channels-last, and raises
            done = fn(tensor.flatten(0, 1)).view_as(tensor) if tensor.ndim == 5 else fn(tensor)
            # A copy, since strides of sides of 1 say "channels last" too, and `contiguous` leaves them.
            return done.clone(memory_format=torch.contiguous_format) if done.ndim == 4 else done

        return super()._apply(keep if self.keeps_layout else fn, recurse)

    def _windows(self) -> list[int]:
        known = self.network.hyperparameters if isinstance(self.network, StatesArguments) else {}
        return [w for name in _WINDOW_ARGUMENTS if isinstance(w := known.get(name), int) and w > 0]

    @cached_property
    def _shared(self) -> tuple[int, int]:
        """Halo and blend."""
        if not self._discouraged:
            try:
                reach = measure_halo(self, longest=_LONGEST)
            except ArgumentError:  # a network that stumbles over a NaN
                reach = None
            if reach is not None and self._tiles_exactly(reach):
                return reach, 0
        wanted = _WIDE_OVERLAP if self._discouraged else _OVERLAP
        return wanted, wanted // 2

    @torch.no_grad()
    def _tiles_exactly(self, halo: int) -> bool:
        """Whether a piece with a halo comes out as in the whole image; a grid inside may prevent it."""
        was_training = self.training
        self.eval()
        reference = next(self.parameters())
        around = -(-halo // self.align) * self.align
        cut, side = 7 * self.align, 16  # 7: off the grids that networks have
        start, end = cut + around, cut + around + side + around
        noise = torch.rand(1, 3, 16, end + 3 * self.align + 5, generator=torch.Generator().manual_seed(0))
        noise = noise.to(reference)
        whole, piece = self(noise), self(noise[..., cut:end])
        self.train(was_training)
        wanted = whole[..., start * self.scale : (start + side) * self.scale]
        got = piece[..., (start - cut) * self.scale : (start - cut + side) * self.scale]
        return bool((wanted - got).abs().max() < 1e-3)

    @property
    def halo(self) -> int | None:
        """LR pixels that tiles overlap on each side; None for networks that take images whole."""
        return None if self._whole else self._shared[0]

    @property
    def blend(self) -> int:
        """LR pixels on each side of a seam over which tiles fade into each other."""
        return 0 if self._whole else self._shared[1]

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `lr`, `(B, 3, h, w)` in [0, 1]."""
        batch, _, height, width = lr.shape
        if self.side is not None and max(height, width) > self.side:
            raise ImageError(
                f"{self.architecture} restores one face in a picture of {self.side} x {self.side} pixels; "
                f"this one is {width} x {height}: cut the face out, and reduce it to that"
            )
        image = lr.clone(memory_format=torch.contiguous_format)  # some networks change their input
        if self.channels == 1:
            image = image.reshape(3 * batch, 1, height, width)
        elif self.channels == 4:
            image = torch.cat([image, torch.ones_like(image[:, :1])], dim=1)
        output = self._computed(self._padded(image))
        if isinstance(output, tuple | list):  # some give more in training than in evaluation
            output = output[0]
        output = output[..., : height * self.scale, : width * self.scale]
        return output.reshape(batch, 3, *output.shape[-2:]) if self.channels == 1 else output[:, :3]

    def _computed(self, image: Tensor) -> Any:
        if self.training or self.architecture not in _DRAWING:
            return self._call(self.network, image)
        with torch.random.fork_rng(devices=[image.device] if image.device.type == "cuda" else []):
            torch.manual_seed(0)
            if isinstance(self.network, _Styled):  # else each tile would get a style of its own
                style = torch.randn(1, self.network.style_network.dim_in).to(image)
                return self.network(image, noise=style.expand(len(image), -1))
            return self._call(self.network, image)

    def _padded(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        if self.requirements.none:
            return image
        right, bottom = self.requirements.get_padding(width, height)
        # Reflection reaches no further than the image; what is missing then repeats the border.
        across, down = min(right, width - 1), min(bottom, height - 1)
        image = F.pad(image, (0, across, 0, down), mode="reflect")
        return F.pad(image, (0, right - across, 0, bottom - down), mode="replicate")

"""Enlarges stored pixel values with a generator, by tiles or by strips."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from kornia_srgan.errors import NotFiniteError
from kornia_srgan.inference.networks import Networks
from kornia_srgan.inference.streaming.streamer import Streamer
from kornia_srgan.inference.tiling import Run, is_out_of_memory
from kornia_srgan.inference.values import from_unit, is_finite, to_unit


@torch.inference_mode()
def compute_tile(
    generator: nn.Module, device: torch.device, dtype: torch.dtype, piece: Tensor
) -> Tensor | None:
    """Enlarge one piece, `(1, 1 or 3, h, w)`; the result is on the CPU, or None if it has NaN or infinity."""
    output = forward_unit(generator, to_unit(piece.to(device), dtype))
    return from_unit(output, piece.dtype).cpu() if is_finite(output) else None


@torch.inference_mode()
def compute_strips(streamer: Streamer, dtype: torch.dtype, image: Tensor) -> Iterator[Tensor]:
    """Enlarge `(1, 1 or 3, h, w)` in bands; stop early without memory, or at NaN or infinity."""
    bands = streamer.enlarge(image, lambda strip: _as_rgb(to_unit(strip, dtype)))
    while True:
        try:
            output = next(bands, None)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return
        if output is None or not is_finite(output):
            return
        yield from_unit(_as_before(output, image), image.dtype)


def forward_unit(generator: nn.Module, unit: Tensor) -> Tensor:
    """Enlarge `(B, 1 or 3, h, w)` in [0, 1]; grey is enlarged as RGB and the three channels are averaged."""
    return _as_before(generator(_as_rgb(unit)), unit)


class Pieces:
    """Enlarges pieces of stored values, `(1, 1 or 3, h, w)`: a `tiling.Run`.

    Args:
        networks: The copies of the generator; the one in float32 is used where the dtype overflows.
    """

    def __init__(self, networks: Networks) -> None:
        self._networks, self.device = networks, networks.device

    def __call__(self, piece: Tensor) -> Tensor:
        """The enlarged piece, on the CPU, of the same dtype."""
        networks = self._networks
        result = compute_tile(networks.fast, self.device, networks.dtype, piece)
        if result is None and networks.exact is not networks.fast:
            result = compute_tile(networks.exact, self.device, torch.float32, piece)
        return checked_finite(result)

    @property
    def spare(self) -> Run | None:
        """The same on the CPU, for when the device has no memory left; None if it is the CPU."""
        return None if self.device.type == "cpu" else self._on_cpu

    def _on_cpu(self, piece: Tensor) -> Tensor:
        return checked_finite(compute_tile(self._networks.spare, torch.device("cpu"), torch.float32, piece))


def checked_finite(result: Tensor | None) -> Tensor:
    """The float32 result.

    Raises:
        NotFiniteError: If it has NaN or infinity.
    """
    if result is None:
        raise NotFiniteError(
            "the result holds NaN or infinity, in float32 too: the weights are damaged; try others"
        )
    return result


def _as_rgb(unit: Tensor) -> Tensor:
    rgb = unit.expand(-1, 3, -1, -1) if unit.shape[1] == 1 else unit
    return rgb.contiguous(memory_format=torch.channels_last)


def _as_before(output: Tensor, image: Tensor) -> Tensor:
    return output.mean(dim=1, keepdim=True) if image.shape[1] == 1 else output

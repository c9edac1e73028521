"""Enlarges stored pixel values with a generator, by tiles or by strips."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from kornia_srgan.errors import NotFiniteError
from kornia_srgan.inference.networks import Networks
from kornia_srgan.inference.streaming.streamer import Streamer
from kornia_srgan.inference.tiling import Run, is_out_of_memory
from kornia_srgan.inference.values import PhotoValues, Values, is_finite

PHOTOGRAPH = PhotoValues()


@torch.inference_mode()
def compute_tile(
    generator: nn.Module,
    device: torch.device,
    dtype: torch.dtype,
    piece: Tensor,
    values: Values = PHOTOGRAPH,
    bands: int = 3,
) -> Tensor | None:
    """Enlarge pieces of one size, `(B, 1 or bands, h, w)`.

    The result is on the CPU, or None if it has NaN or infinity.
    """
    output = forward_unit(generator, values.to_unit(piece.to(device), dtype), bands)
    return values.from_unit(output, piece.dtype).cpu() if is_finite(output) else None


@torch.inference_mode()
def compute_strips(
    streamer: Streamer, dtype: torch.dtype, image: Tensor, values: Values = PHOTOGRAPH, bands: int = 3
) -> Iterator[Tensor]:
    """Enlarge `(1, 1 or bands, h, w)` in strips; stop early without memory, or at NaN or infinity."""
    strips = streamer.enlarge(image, lambda strip: _as_taken(values.to_unit(strip, dtype), bands))
    while True:
        try:
            output = next(strips, None)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return
        if output is None or not is_finite(output):
            return
        yield values.from_unit(_as_before(output, image), image.dtype)


def forward_unit(generator: nn.Module, unit: Tensor, bands: int = 3) -> Tensor:
    """Enlarge `(B, 1 or bands, h, w)` in [0, 1].

    Grey is enlarged as RGB by generators for RGB, and the three channels are averaged.
    """
    return _as_before(generator(_as_taken(unit, bands)), unit)


class Pieces:
    """Enlarges pieces of stored values, `(B, 1 or bands, h, w)`: a `tiling.Run`.

    Args:
        networks: The copies of the generator; the one in float32 is used where the dtype overflows.
        values: What stored values mean.
        bands: The generator's channels.
    """

    def __init__(self, networks: Networks, values: Values = PHOTOGRAPH, bands: int = 3) -> None:
        self._networks, self.device = networks, networks.device
        self._values, self._bands = values, bands

    def __call__(self, piece: Tensor) -> Tensor:
        """The enlarged piece, on the CPU, of the same dtype."""
        networks = self._networks
        result = self._computed(networks.fast, self.device, networks.dtype, piece)
        if result is None and networks.exact is not networks.fast:
            result = self._computed(networks.exact, self.device, torch.float32, piece)
        return checked_finite(result)

    @property
    def spare(self) -> Run | None:
        """The same on the CPU, for when the device has no memory left; None if it is the CPU."""
        return None if self.device.type == "cpu" else self._on_cpu

    def _on_cpu(self, piece: Tensor) -> Tensor:
        cpu = torch.device("cpu")
        return checked_finite(self._computed(self._networks.spare, cpu, torch.float32, piece))

    def _computed(
        self, generator: nn.Module, device: torch.device, dtype: torch.dtype, piece: Tensor
    ) -> Tensor | None:
        return compute_tile(generator, device, dtype, piece, self._values, self._bands)


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


def _as_taken(unit: Tensor, bands: int) -> Tensor:
    taken = unit.expand(-1, bands, -1, -1) if unit.shape[1] == 1 else unit
    return taken.contiguous(memory_format=torch.channels_last)


def _as_before(output: Tensor, image: Tensor) -> Tensor:
    return output.mean(dim=1, keepdim=True) if image.shape[1] == 1 else output

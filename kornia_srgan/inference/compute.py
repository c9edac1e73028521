"""Enlarges stored pixel values with a generator, by tiles or by strips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor, nn

from kornia_srgan.errors import NotFiniteError
from kornia_srgan.inference.networks import Networks
from kornia_srgan.inference.streaming.streamer import Streamer
from kornia_srgan.inference.tile_size import bytes_per_pixel
from kornia_srgan.inference.tiling import is_out_of_memory
from kornia_srgan.inference.transfers import transfers_of
from kornia_srgan.inference.values import PhotoValues, Values, is_finite
from kornia_srgan.inference.work import Run, Started
from kornia_srgan.memory import free_memory
from kornia_srgan.optimize.packing import OWN

PHOTOGRAPH = PhotoValues()


@torch.inference_mode()
def compute_pieces(
    generator: nn.Module,
    dtype: torch.dtype,
    stored: Tensor,
    values: Values = PHOTOGRAPH,
    bands: int = 3,
    *,
    thorough: bool = False,
) -> tuple[Tensor, Tensor]:
    """Enlarge pieces of one size, `(B, 1 or bands, h, w)`, without waiting for the device.

    Args:
        generator: On the device of the pieces.
        dtype: To compute in.
        stored: The pieces.
        values: What stored values mean.
        bands: The generator's channels.
        thorough: Tell enormous values, whose sum is infinite, from infinity.

    Returns:
        The results in the dtype of `stored`, and which of them are finite, `(B,)`: both on the device, so
        that little is left to be copied.
    """
    output = forward_unit(generator, values.to_unit(stored, dtype), bands)
    finite = torch.isfinite(output.sum(dim=(1, 2, 3), dtype=torch.float32))
    if thorough:
        finite |= torch.isfinite(output).all(dim=(1, 2, 3))
    return values.from_unit(output, stored.dtype), finite


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
    """Enlarges pieces of stored values, `(B, 1 or bands, h, w)`, on any device: a `work.Work`.

    Args:
        networks: The copies of the generator; the one in float32 is used where the dtype overflows.
        values: What stored values mean.
        bands: The generator's channels.
        alone: Enlarge one piece at a time, as a network must that is compiled for one shape. Generators
            not in `packing.OWN` do so too: theirs may look at the whole batch.
    """

    def __init__(
        self, networks: Networks, values: Values = PHOTOGRAPH, bands: int = 3, *, alone: bool = False
    ) -> None:
        self._networks, self._values, self._bands = networks, values, bands
        known = transfers_of(networks.device)
        self._transfers = replace(known, most=1) if alone or type(networks.fast) not in OWN else known

    def __call__(self, pieces: Tensor) -> Tensor:
        """The enlarged pieces, on the CPU, of the same dtype."""
        larger, finite = self.start(pieces)()
        if all(finite):
            return larger
        each = zip(larger.split(1), pieces.split(1), finite, strict=True)
        return torch.cat([done if good else self.again(piece) for done, piece, good in each])

    @property
    def overlapped(self) -> bool:
        """Whether results are copied while the next ones are computed."""
        return self._transfers.overlapped

    def room(self, height: int, width: int) -> int:
        """As many as a part of the free memory holds."""
        most = self._transfers.most
        return 1 if most == 1 else max(1, min(most, self._pixels // (height * width)))

    @cached_property
    def _pixels(self) -> int:
        networks = self._networks
        # A tile that was chosen by free memory takes up to half of it.
        free = free_memory(networks.device) // 2
        return free // bytes_per_pixel(networks.fast, networks.device, networks.dtype)

    def start(self, pieces: Tensor) -> Started:
        """Start to enlarge pieces of one size."""
        networks, transfers = self._networks, self._transfers
        stored = transfers.send(pieces)
        results = compute_pieces(networks.fast, networks.dtype, stored, self._values, self._bands)
        return transfers.fetch(*results)

    def again(self, piece: Tensor) -> Tensor:
        """One piece in float32.

        Raises:
            NotFiniteError: If the result has NaN or infinity.
        """
        return self._exactly(self._networks.exact, self._networks.device, piece)

    @property
    def spare(self) -> Run | None:
        """The same on the CPU, for when the device has no memory left; None if it is the CPU."""
        return None if self._networks.device.type == "cpu" else self._on_cpu

    def _on_cpu(self, piece: Tensor) -> Tensor:
        return self._exactly(self._networks.spare, torch.device("cpu"), piece)

    def _exactly(self, generator: nn.Module, device: torch.device, piece: Tensor) -> Tensor:
        larger, finite = compute_pieces(
            generator, torch.float32, piece.to(device), self._values, self._bands, thorough=True
        )
        if not bool(finite):
            raise NotFiniteError(
                "the result holds NaN or infinity, in float32 too: the weights are damaged; try others"
            )
        return larger.cpu()


def _as_taken(unit: Tensor, bands: int) -> Tensor:
    taken = unit.expand(-1, bands, -1, -1) if unit.shape[1] == 1 else unit
    return taken.contiguous(memory_format=torch.channels_last)


def _as_before(output: Tensor, image: Tensor) -> Tensor:
    return output.mean(dim=1, keepdim=True) if image.shape[1] == 1 else output

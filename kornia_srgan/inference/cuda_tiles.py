"""Enlarges several tiles at once on CUDA, while the results before them are copied. Not yet measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from kornia_srgan.inference.compute import forward_unit
from kornia_srgan.inference.networks import Networks
from kornia_srgan.inference.tile_size import bytes_per_pixel
from kornia_srgan.inference.tiling import Started
from kornia_srgan.inference.values import Values
from kornia_srgan.memory import free_memory
from kornia_srgan.optimize.packing import OWN

_MOST = 16  # tiles at once; more would only make the buffers of the CPU larger


class TilesOnCuda:
    """A `tiling.Together` on CUDA.

    Values are rounded to the stored dtype on the device, so that there is less to copy. The copy goes to
    pinned memory on a stream of its own, so the device computes the next tiles meanwhile. Results that are
    not finite are None: whoever asked computes these tiles one by one, in float32 where needed.

    Args:
        networks: The copies of the generator, on CUDA.
        values: What stored values mean.
        bands: The generator's channels.
    """

    def __init__(self, networks: Networks, values: Values, bands: int) -> None:
        self._networks, self._values, self._bands = networks, values, bands

    def room(self, height: int, width: int) -> int:
        """As many as a part of the free memory holds."""
        return max(1, min(_MOST, self._pixels // (height * width)))

    @cached_property
    def _pixels(self) -> int:
        networks = self._networks
        # A tile that was chosen by free memory takes up to half of it.
        return (
            free_memory(networks.device)
            // 2
            // bytes_per_pixel(networks.fast, networks.device, networks.dtype)
        )

    @torch.inference_mode()
    def start(self, pieces: Tensor) -> Started:
        """Start to enlarge `(B, C, h, w)` of stored values."""
        networks, dtype = self._networks, pieces.dtype
        pinned = pieces if pieces.is_cuda else pieces.pin_memory()
        stored = pinned.to(networks.device, non_blocking=True)
        output = forward_unit(networks.fast, self._values.to_unit(stored, networks.dtype), self._bands)
        results = self._values.from_unit(output, dtype), torch.isfinite(output.sum(dtype=torch.float32))
        side, done = torch.cuda.Stream(networks.device), torch.cuda.Event()
        side.wait_stream(torch.cuda.current_stream(networks.device))
        with torch.cuda.stream(side):
            copies = [result.to("cpu", non_blocking=True) for result in results]  # to pinned memory
            done.record(side)
        return _Copying(results, copies, done).wait


@dataclass
class _Copying:
    """Results on their way; the device's are kept until they have been read, by a stream it does not know."""

    results: tuple[Tensor, Tensor]
    copies: list[Tensor]
    done: torch.cuda.Event

    def wait(self) -> Tensor | None:
        self.done.synchronize()
        larger, finite = self.copies
        return larger if bool(finite) else None


def tiles_together(networks: Networks, values: Values, bands: int) -> TilesOnCuda | None:
    """For generators of this package on CUDA, whose tiles in a batch are known not to see each other."""
    if networks.device.type != "cuda" or type(networks.fast) not in OWN:
        return None
    return TilesOnCuda(networks, values, bands)

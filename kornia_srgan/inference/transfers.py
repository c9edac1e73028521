"""How tiles come to a device and their results back: what differs between devices. On GPUs not measured."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kornia_srgan.inference.work import Started


@dataclass(frozen=True)
class Transfers:
    """The way to a device and back.

    Attributes:
        device: Where tiles are enlarged.
        most: How many tiles are enlarged together at most.
        overlapped: Whether results are copied while the device computes what comes next: to pinned memory,
            on a stream of their own. Otherwise they are copied when somebody waits for them.
    """

    device: torch.device
    most: int = 1
    overlapped: bool = False

    def send(self, stored: Tensor) -> Tensor:
        """Stored values `(B, C, h, w)`, on the device."""
        if self.overlapped and stored.device.type == "cpu":
            return _pinned_like(stored).copy_(stored).to(self.device, non_blocking=True)
        return stored.to(self.device)

    def fetch(self, larger: Tensor, finite: Tensor) -> Started:
        """Bring results `(B, C, H, W)`, and which of them are finite `(B,)`, to the CPU."""
        if self.overlapped:
            return _overlapped(self.device, larger, finite)
        return lambda: (larger.cpu(), finite.tolist())


# The CPU: batches are hardly faster than tiles (docs/performance.md) and take more memory.
# CUDA, XPU: torch has pinned memory and streams for these.
# MPS: it has neither; memory is shared anyway.
_KNOWN = {"cpu": (1, False), "cuda": (16, True), "xpu": (16, True), "mps": (16, False)}


def transfers_of(device: torch.device) -> Transfers:
    """The way to a device; to one that is not known, tile by tile."""
    most, overlapped = _KNOWN.get(device.type, (1, False))
    return Transfers(device, most, overlapped)


def _overlapped(device: torch.device, *results: Tensor) -> Started:
    torch_device = torch.get_device_module(device)  # torch.cuda or torch.xpu
    side, done = torch_device.Stream(device), torch_device.Event()
    side.wait_stream(torch_device.current_stream(device))
    with torch_device.stream(side):
        larger, finite = (_pinned_like(result).copy_(result, non_blocking=True) for result in results)
        done.record(side)
    kept = list(results)  # read by a stream that their allocator does not know of

    def wait() -> tuple[Tensor, list[bool]]:
        done.synchronize()
        kept.clear()
        return larger, finite.tolist()

    return wait


def _pinned_like(values: Tensor) -> Tensor:
    return torch.empty_like(values, device="cpu", pin_memory=True)

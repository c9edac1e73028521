"""The copies of a generator that an `Upscaler` needs, each made once, on first use."""

from __future__ import annotations

import copy
import threading
from typing import Any, Literal

import torch
from torch import nn

from kornia_srgan.allocator import warm_allocator
from kornia_srgan.optimize.optimize import mixes_precision, optimize_for_inference

_CPU = torch.device("cpu")


class Networks:
    """Frozen copies of a generator. They are immutable, so threads can share them.

    Args:
        generator: The original. It is not changed, and later changes to it have no effect.
        device: Where to compute.
        dtype: The dtype to compute in.
        mixed: Let convolutions of `fast` multiply in bfloat16 on a CPU if that is faster and accurate.
        compile: Use `torch.compile` for `fast`.
    """

    def __init__(
        self,
        generator: nn.Module,
        device: torch.device,
        dtype: torch.dtype,
        *,
        mixed: bool = False,
        compile: bool = False,
    ) -> None:
        self.device, self.dtype = device, dtype
        self._mixed, self._compile = mixed and mixes_precision(device), compile
        self._lock = threading.RLock()
        self._made: dict[tuple[torch.device, torch.dtype | Literal["auto"]], nn.Module] = {}
        self._source: nn.Module | None = _frozen(generator)

    @property
    def fast(self) -> nn.Module:
        """The copy on the device, in the dtype."""
        return self._form(self.device, "auto" if self._mixed else self.dtype, compile=self._compile)

    @property
    def exact(self) -> nn.Module:
        """The copy on the device in float32, for values that the dtype cannot hold."""
        exact = self.dtype == torch.float32 and not self._mixed
        return self.fast if exact else self._form(self.device, torch.float32)

    @property
    def spare(self) -> nn.Module:
        """The copy on the CPU in float32, used when the device runs out of memory."""
        return self.exact if self.device.type == "cpu" else self._form(_CPU, torch.float32)

    def _form(
        self, device: torch.device, dtype: torch.dtype | Literal["auto"], *, compile: bool = False
    ) -> nn.Module:
        with self._lock:
            found = self._made.get((device, dtype))
            if found is None:
                assert self._source is not None
                found = optimize_for_inference(self._source, dtype=dtype, device=device, compile=compile)
                self._made[device, dtype] = found
                if self._is_one_form:
                    self._source = None
                if device.type == "cpu":
                    warm_allocator()
            return found

    @property
    def _is_one_form(self) -> bool:
        """Whether one copy is all that can be asked for, so that the weights need not be kept for others."""
        others = self._compile or self._mixed
        return self.device.type == "cpu" and self.dtype == torch.float32 and not others

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the original weights only, without the copies."""
        kept = self._made if self._source is None else {}
        return {**self.__dict__, "_made": kept, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore from a pickle; the copies are made on first use."""
        self.__dict__.update(state)
        self._made = dict(self._made)
        self._lock = threading.RLock()


def _frozen(generator: nn.Module) -> nn.Module:
    return copy.deepcopy(generator).eval().requires_grad_(False)

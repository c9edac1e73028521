"""One generator in the forms that serving needs, each made once, when it is first asked for."""

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
    """A generator's frozen copies. They never change, so any number of threads may use them.

    Args:
        generator: What to copy; it stays as it is, and what becomes of it later does not matter.
        device: Where to compute.
        dtype: What to compute in.
        mixed: Let convolutions of `fast` multiply in bfloat16 on a CPU where that is faster and faithful.
        compile: Let `torch.compile` make the kernels of `fast`.
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
        # In float32 on the CPU one copy is all that can be asked for; else the others are made of this one.
        one_form = device.type == "cpu" and dtype == torch.float32 and not (compile or self._mixed)
        self._source = generator if one_form else _frozen(generator)
        self.fast  # noqa: B018  # made here: its errors are the caller's
        if one_form:
            self._source = None

    @property
    def fast(self) -> nn.Module:
        """On the device, in the dtype."""
        return self._form(self.device, "auto" if self._mixed else self.dtype, compile=self._compile)

    @property
    def exact(self) -> nn.Module:
        """On the device in float32, for numbers that the dtype cannot hold."""
        exact = self.dtype == torch.float32 and not self._mixed
        return self.fast if exact else self._form(self.device, torch.float32)

    @property
    def spare(self) -> nn.Module:
        """On the CPU in float32, for what the device has no memory for."""
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
                if device.type == "cpu":
                    warm_allocator()
            return found

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the weights once, without what is made of them."""
        kept = self._made if self._source is None else {}
        return {**self.__dict__, "_made": kept, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Back from a pickle; the forms are made when they are asked for."""
        self.__dict__.update(state)
        self._made = dict(self._made)
        self._lock = threading.RLock()


def _frozen(generator: nn.Module) -> nn.Module:
    return copy.deepcopy(generator).eval().requires_grad_(False)

"""Stops a run between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch
from accelerate import Accelerator

_AGREE_EVERY = 10  # steps between the ranks' asking one another; each asking is a small all-reduce


class StopRequest:
    """Turns Ctrl-C and SIGTERM into a request to stop; a second Ctrl-C stops at once.

    Attributes:
        seen: Whether all ranks have agreed to stop.
    """

    def __init__(self) -> None:
        self.seen = False
        self._wished = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._wish)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _wish(self, number: int, frame: FrameType | None) -> None:
        if self._wished and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._wished = True

    def agreed(self, accelerator: Accelerator, step: int) -> bool:
        """Whether to stop after this step; the same on every rank."""
        if accelerator.num_processes == 1:
            self.seen = self._wished
        elif step % _AGREE_EVERY == 0:
            wish = torch.tensor(float(self._wished), device=accelerator.device)
            self.seen = bool(torch.as_tensor(accelerator.reduce(wish, "sum")) > 0)
        return self.seen

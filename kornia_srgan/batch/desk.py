"""Where all computing of a process is done: one thread, to which others bring their steps."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from kornia_srgan.errors import KorniaSRGANError

T = TypeVar("T")


class StoppedError(KorniaSRGANError):
    """The whole run was stopped."""


class Desk:
    """A queue of work for the thread that computes.

    OpenMP keeps a team of threads for each calling thread, and two teams on the same cores slow each other
    down. All computing is therefore done in one thread.
    """

    def __init__(self) -> None:
        self._inbox: SimpleQueue[Callable[[], Any]] = SimpleQueue()
        self._closed = threading.Event()

    def ask(self, step: Callable[[], T]) -> Future[T]:
        """Queue a step; the future gets its result or error."""
        answer: Future[T] = Future()

        def do() -> None:
            if self._closed.is_set():
                answer.set_exception(StoppedError("stopped"))
                return
            try:
                answer.set_result(step())
            except Exception as error:
                answer.set_exception(error)
            except BaseException:  # Ctrl-C is for the whole run; who waits for this must not wait for ever
                answer.set_exception(StoppedError("stopped"))
                raise

        self.leave(do)
        return answer

    def leave(self, do: Callable[[], Any]) -> None:
        """Queue a step whose result is not needed."""
        self._inbox.put(do)
        if self._closed.is_set():
            self._empty()

    def work(self) -> None:
        """Wait for the next step and run it."""
        self._inbox.get()()

    def wake(self) -> None:
        """End a `work` that waits, after `close` too, when what is left is taken away by who left it."""
        self._inbox.put(lambda: None)

    @property
    def closed(self) -> bool:
        """Whether all was stopped."""
        return self._closed.is_set()

    def close(self) -> None:
        """Stop; all waiting and later steps fail."""
        self._closed.set()
        self._empty()

    def _empty(self) -> None:
        with contextlib.suppress(Empty):  # two threads may be at it
            while True:
                self._inbox.get_nowait()()

    def ahead(self, items: Iterator[T]) -> Iterator[T]:
        """Iterate over steps that run at the desk, one step ahead."""
        waiting = self.ask(lambda: next(items, None))
        while (item := waiting.result()) is not None:
            waiting = self.ask(lambda: next(items, None))
            yield item

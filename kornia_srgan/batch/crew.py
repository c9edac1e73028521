"""Several processes that do tasks, and the one that hands them out and hears of them."""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from kornia_srgan.batch.worker import Task
from kornia_srgan.errors import UserError

_FAREWELL = 120.0  # seconds for workers to end: on a busy machine their last rows take a while


class LostError(UserError):
    """The process that did a task was killed or has gone."""


@dataclass
class CrewOrder:
    """A task that was submitted.

    Attributes:
        data: The task, pickled.
        on_news: Told of progress.
        on_end: Told the result and the error; one of them is None.
        ended: Whether there is a result or an error.
        result: What the task returned.
        error: What it raised.
    """

    data: bytes
    on_news: Callable[[Any], Any]
    on_end: Callable[[Any, Exception | None], Any]
    ended: bool = False
    result: Any = None
    error: Exception | None = None

    def end(self, result: Any, error: Exception | None) -> None:
        """There is a result or an error."""
        self.data, self.ended, self.result, self.error = b"", True, result, error
        self.on_end(result, error)


@dataclass
class Member:
    """One process.

    Attributes:
        connection: To it.
        process: It; None where another program started it.
        busy: Numbers of the orders that it has.
    """

    connection: Connection
    process: subprocess.Popen[bytes] | None = None
    busy: set[int] = field(default_factory=set)


class Crew:
    """Hands tasks to processes; all calls are made from one thread, in which its callbacks run too.

    Args:
        members: The processes.

    Attributes:
        at_once: Tasks that each process has at the same time, so that it needs not wait for the next.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = list(members)
        self._size = len(self._members)
        self._waiting: deque[int] = deque()
        self._orders: dict[int, CrewOrder] = {}
        self._numbers = 0
        self.at_once = 2

    def __len__(self) -> int:
        return self._size

    def submit(
        self,
        task: Task,
        *,
        on_news: Callable[[Any], Any] = lambda _: None,
        on_end: Callable[[Any, Exception | None], Any] = lambda *_: None,
        first: bool = False,
    ) -> CrewOrder:
        """Queue a task.

        Args:
            task: It is pickled.
            on_news: Told of progress.
            on_end: Told the result and the error; one of them is None.
            first: Before all that waits.
        """
        self._numbers += 1
        order = self._orders[self._numbers] = CrewOrder(pickle.dumps(task, protocol=5), on_news, on_end)
        (self._waiting.appendleft if first else self._waiting.append)(self._numbers)
        self._hand_out()
        return order

    def wait_for(self, order: CrewOrder) -> Any:
        """The result of a task.

        Raises:
            LostError: If its process was lost; or what the task raised.
        """
        while not order.ended:
            self.step()
        if order.error is not None:
            raise order.error
        return order.result

    def finish(self) -> None:
        """Wait until all tasks have ended."""
        while self._orders:
            self.step()

    def drop(self) -> None:
        """Forget the tasks that no process has yet."""
        for number in self._waiting:
            del self._orders[number]
        self._waiting.clear()

    def step(self, timeout: float | None = None) -> None:
        """Hear of what happens next.

        Args:
            timeout: Seconds to wait for it; None for as long as it takes.
        """
        self._hand_out()
        if not self._members:
            self._give_up()
            return
        ready = wait([member.connection for member in self._members], timeout)
        for member in [member for member in self._members if member.connection in ready]:
            try:
                number, kind, value = pickle.loads(member.connection.recv_bytes())
            except (EOFError, OSError):
                self._lose(member)
                continue
            if kind == "news":
                self._orders[number].on_news(value)
                continue
            member.busy.discard(number)
            order = self._orders.pop(number)
            self._hand_out()  # before others are told, which may take a while
            order.end(value if kind == "done" else None, value if kind == "failed" else None)

    def _hand_out(self) -> None:
        while self._waiting and self._members:
            member = min(self._members, key=lambda one: len(one.busy))
            if len(member.busy) >= self.at_once:
                return
            number = self._waiting.popleft()
            member.busy.add(number)
            try:
                member.connection.send((number, self._orders[number].data))
            except OSError:
                self._lose(member)

    def _lose(self, member: Member) -> None:
        self._members.remove(member)
        error = LostError(f"the process that worked on it {_fate(member)}")
        for number in sorted(member.busy):
            self._orders.pop(number).end(None, error)

    def _give_up(self) -> None:
        error = LostError("all processes were lost before its turn came")
        waiting, self._waiting = list(self._waiting), deque()
        for number in waiting:
            self._orders.pop(number).end(None, error)

    def close(self, *, stop: bool) -> None:
        """End the processes.

        Args:
            stop: Without what they have in the works, of which they leave nothing behind.
        """
        deadline = time.monotonic() + _FAREWELL
        for member in self._members:
            with contextlib.suppress(OSError):
                if not stop:
                    member.connection.send(None)
                else:
                    member.connection.close()
        for member in self._members:
            if member.process is None:
                continue
            try:
                member.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                member.process.kill()
                member.process.wait()


def _fate(member: Member) -> str:
    if member.process is None:
        return "has gone"
    try:
        code = member.process.wait(5)
    except subprocess.TimeoutExpired:
        return "hung up"
    return f"was killed (signal {-code})" if code < 0 else f"ended (exit code {code})"

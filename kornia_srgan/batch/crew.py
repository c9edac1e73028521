"""Several processes that do tasks, and the one that hands them out and hears of them."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Listener, wait
from queue import Empty, SimpleQueue
from typing import Any

from kornia_srgan.batch.worker import ADDRESS, KEY, Task
from kornia_srgan.errors import KorniaSRGANError, UserError
from kornia_srgan.processor import usable_processors

_PATIENCE = 300.0  # seconds for workers to come: a cold disk, a busy machine
_FAREWELL = 20.0  # seconds for workers to end


class LostError(UserError):
    """The process that did a task was killed or has gone."""


@dataclass
class Order:
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
        self._orders: dict[int, Order] = {}
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
    ) -> Order:
        """Queue a task.

        Args:
            task: It is pickled.
            on_news: Told of progress.
            on_end: Told the result and the error; one of them is None.
            first: Before all that waits.
        """
        self._numbers += 1
        order = self._orders[self._numbers] = Order(pickle.dumps(task, protocol=5), on_news, on_end)
        (self._waiting.appendleft if first else self._waiting.append)(self._numbers)
        self._hand_out()
        return order

    def wait_for(self, order: Order) -> Any:
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
        by_connection = {member.connection: member for member in self._members}
        for connection in wait(list(by_connection), timeout):
            member = by_connection[connection]  # type: ignore[index]
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


@dataclass(frozen=True)
class Start:
    """How the processes of a crew are started.

    Attributes:
        count: How many are started here.
        outside: How many others come by themselves.
        threads: Of each; None shares the processors among those started here.
        plugins: What each loads.
        own_devices: Each sees one GPU only, in turn.
        quiet: They print nothing.
        host: Where others reach this machine; None where all are started here.
    """

    count: int
    outside: int = 0
    threads: int | None = None
    plugins: tuple[str, ...] = ()
    own_devices: bool = True
    quiet: bool = False
    host: str | None = None


@contextmanager
def started(
    start: Start, announce: Callable[[Any, bytes], Any] = lambda *_: None, first_device: int = 0
) -> Iterator[Crew]:
    """A crew of new processes, ended with the block: at an exception without what is in the works.

    Args:
        start: How they are started.
        announce: Told the address and the key that others need.
        first_device: The GPU of the first process.
    """
    key = secrets.token_bytes(32)
    address = None if start.host is None else ("" if start.host != "127.0.0.1" else start.host, 0)
    with Listener(address, authkey=key) as listener:
        reach = listener.address if start.host is None else (start.host, listener.address[1])
        processes = [_spawn(start, n, first_device + n, listener.address, key) for n in range(start.count)]
        try:
            announce(reach, key)
            connections = _come(listener, processes, start.count + start.outside)
        except BaseException:
            for process in processes:
                process.kill()
                process.wait()
            raise
    members = []
    for connection in connections:
        number = connection.recv()
        members.append(Member(connection, None if number is None else processes[number]))
        connection.send(list(start.plugins))
    crew = Crew(members)
    try:
        yield crew
    except BaseException:
        crew.close(stop=True)
        raise
    crew.close(stop=False)


def _spawn(start: Start, number: int, device: int, address: Any, key: bytes) -> subprocess.Popen[bytes]:
    where = ("127.0.0.1", address[1]) if isinstance(address, tuple) else address
    told = {ADDRESS: json.dumps([where, number]), KEY: key.hex()}
    environ = os.environ | told | {"OMP_NUM_THREADS": _threads(start)}
    if start.own_devices:
        environ |= own_device(device)
    return subprocess.Popen(
        [sys.executable, "-m", "kornia_srgan.batch.worker"],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if start.quiet else None,
        start_new_session=True,  # Ctrl-C is for the one that hands out; the others end when it hangs up
    )


def _threads(start: Start) -> str:
    if start.threads is not None:
        return str(start.threads)
    each = max(1, usable_processors() // max(1, start.count))
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return str(min(each, int(asked)) if asked.isdigit() and int(asked) else each)


def own_device(number: int) -> dict[str, str]:
    """The environment in which a process sees one GPU only; empty where there are not several."""
    import torch

    count = torch.cuda.device_count()
    if count < 2:
        return {}
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    visible = names if len(names) == count else [str(device) for device in range(count)]
    return {"CUDA_VISIBLE_DEVICES": visible[number % count]}


def _come(listener: Listener, processes: list[subprocess.Popen[bytes]], count: int) -> list[Connection]:
    """The connections of all workers."""
    came: SimpleQueue[Connection] = SimpleQueue()

    def accept() -> None:
        for _ in range(count):
            with contextlib.suppress(OSError, EOFError):  # a stranger without the key, or the end
                came.put(listener.accept())

    threading.Thread(target=accept, name="accepting", daemon=True).start()
    connections: list[Connection] = []
    deadline = time.monotonic() + _PATIENCE
    while len(connections) < count:
        with contextlib.suppress(Empty):
            connections.append(came.get(timeout=0.2))
            continue
        ended = next((p for p in processes if p.poll() is not None), None)
        if ended is not None:
            raise KorniaSRGANError(f"a worker process ended before its work (exit code {ended.returncode})")
        if time.monotonic() > deadline:
            raise KorniaSRGANError(f"only {len(connections)} of {count} processes came to work")
    return connections

"""A process that does the tasks it is sent, until the crew that sends them is done or gone."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection
from typing import Any

from kornia_srgan.batch.desk import Desk, StoppedError
from kornia_srgan.explain import one_line

ADDRESS, KEY = "KORNIA_SRGAN_CREW", "KORNIA_SRGAN_CREW_KEY"
"""Environment variables that say where a worker finds its crew, and which it is."""
_MOST_AT_ONCE = 16


@dataclass(frozen=True)
class Bench:
    """Where a task is done.

    Attributes:
        desk: Where to compute.
        tell: Tells the crew of progress; raises `StoppedError` if it is gone.
    """

    desk: Desk
    tell: Callable[[Any], None]


Task = Callable[[Bench], Any]
"""What a crew hands out. It is pickled, and so is its result."""


def join_crew(address: Any, key: bytes, number: int | None = None) -> None:
    """Work for the crew at an address until it has nothing left to do.

    Args:
        address: Of the crew.
        key: What both sides know and strangers do not.
        number: Which of the processes that the crew started this is; None if another program did.
    """
    with Client(tuple(address) if isinstance(address, list) else address, authkey=key) as connection:
        connection.send(number)
        _prepare(connection.recv())
        do_tasks(connection)


def _prepare(plugins: list[str]) -> None:
    from kornia_srgan.allocator import keep_freed_memory
    from kornia_srgan.registry.plugins import load_plugins

    load_plugins(plugins)
    keep_freed_memory()


def do_tasks(connection: Connection) -> None:
    """Do tasks until the other side says that there are no more, or hangs up.

    This thread computes. What is in the works when the other side hangs up ends at its next rows and leaves
    nothing behind.
    """
    desk, sending, ended = Desk(), threading.Lock(), threading.Event()

    def send(*message: Any) -> None:
        data = pickle.dumps(message, protocol=5)
        with sending:
            connection.send_bytes(data)

    def do(number: int, data: bytes) -> None:
        def tell(news: Any) -> None:
            if desk.closed:
                raise StoppedError("stopped")
            try:
                send(number, "news", news)
            except OSError as error:
                raise StoppedError("stopped") from error

        try:
            task: Task = desk.ask(lambda: pickle.loads(data)).result()
            kind, value = "done", task(Bench(desk, tell))
        except Exception as error:
            kind, value = "failed", error
        with contextlib.suppress(OSError):  # nobody is there to be told
            send(number, kind, _sendable(value))

    def receive(pool: ThreadPoolExecutor) -> None:
        try:
            while (message := connection.recv()) is not None:
                pool.submit(do, *message)
            pool.shutdown(wait=True)
        except (EOFError, OSError):
            desk.close()
            pool.shutdown(wait=True, cancel_futures=True)
        ended.set()
        desk.wake()

    with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
        threading.Thread(target=receive, args=(pool,), name="receiving", daemon=True).start()
        while not ended.is_set():
            desk.work()


def _sendable(value: Any) -> Any:
    """The value; for what cannot be pickled and read again, an error that says the same."""
    try:
        if isinstance(value, Exception):
            pickle.loads(pickle.dumps(value))
        return value
    except Exception:
        return RuntimeError(one_line(value))


def main() -> None:
    """Work for the crew that started this process."""
    from kornia_srgan.processor import set_threads

    address, number = json.loads(os.environ.pop(ADDRESS))
    key = bytes.fromhex(os.environ.pop(KEY))
    set_threads(None)
    join_crew(address, key, number)


if __name__ == "__main__":
    main()

"""Starts the processes of a crew, and waits for those that others start."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener
from queue import Empty, SimpleQueue
from typing import Any

from kornia_srgan.batch.crew import Crew, Member
from kornia_srgan.batch.worker import ADDRESS, KEY
from kornia_srgan.errors import KorniaSRGANError
from kornia_srgan.processor import usable_processors

_PATIENCE = 300.0  # seconds for workers to come: a cold disk, a busy machine


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
def started_crew(
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
        left = count
        while left:
            try:
                came.put(listener.accept())
                left -= 1
            except (AuthenticationError, ConnectionError, EOFError):  # a stranger without the key
                continue
            except OSError:  # closed, because one did not come
                return

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
            raise KorniaSRGANError(
                f"only {len(connections)} of {count} processes came to work", where="--num-processes"
            )
    return connections

"""Claims on results, so that processes and machines on one folder do not make the same twice.

A claim is a small file beside the result, `.NAME.claim-0`, that only one of all can create. While its owner
works it is touched again and again. One that is not, or whose process is known to be dead, is stale: who
creates `.NAME.claim-1` has the result then, and so on. Nothing is ever renamed or taken away from its owner,
so there is no moment in which two could win.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from kornia_srgan.errors import ImageError

BEAT = 10.0  # seconds between touches
STALE = 60.0  # seconds without one


@contextmanager
def claimed(target: Path, *, beat: float = BEAT, stale: float = STALE) -> Iterator[str]:
    """Claim a result for as long as the block lasts.

    Whether the result is there must be asked inside of the block: its last owner may just have made it.

    Args:
        target: The result; its folder is made if need be.
        beat: Seconds between touches.
        stale: Seconds without a touch after which a claim of another process does not count.

    Yields:
        Who else has it, for messages; empty if this process has it now.

    Raises:
        ImageError: If the folder cannot be written.
    """
    mine, other = _take(target, stale)
    if mine is None:
        yield other
        return
    done = threading.Event()

    def touch() -> None:
        while not done.wait(beat):
            with contextlib.suppress(OSError):
                os.utime(_claim(target, mine))

    heart = threading.Thread(target=touch, name="claim", daemon=True)
    heart.start()
    try:
        yield ""
    finally:
        done.set()
        heart.join()
        for number in range(mine + 1):  # the one that counts goes last
            with contextlib.suppress(OSError):
                _claim(target, number).unlink()


def _claim(target: Path, number: int) -> Path:
    return target.with_name(f".{target.name}.claim-{number}")


def _take(target: Path, stale: float) -> tuple[int | None, str]:
    """The number of the new claim; or None, and who has the result."""
    text = json.dumps({"host": socket.gethostname(), "process": os.getpid()})
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for number in count():
            path = _claim(target, number)
            if _create(path, text):
                return number, ""
            owner = _live_owner(path, stale)
            if owner:
                return None, owner
    except OSError as error:
        where = str(target)
        raise ImageError(f"cannot claim {where}: {error.strerror or error}", where=where) from error
    raise AssertionError


def _create(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _live_owner(path: Path, stale: float) -> str:
    """Who has a claim, for messages; empty if it is stale."""
    try:
        age = _now(path.parent) - path.stat().st_mtime
        text = path.read_text("utf-8")
    except FileNotFoundError:  # given back just now
        return "another process"
    try:
        told = json.loads(text)
    except ValueError:  # its owner is just writing it
        told = {}
    host, process = told.get("host", "another machine"), told.get("process", 0)
    if age > stale or (host == socket.gethostname() and not _is_alive(process)):
        return ""
    return f"process {process} on {host}"


def _now(folder: Path) -> float:
    """The time of the folder's disk, whose clock may differ from that of this machine."""
    probe = folder / f".kornia-srgan-{secrets.token_hex(6)}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    if os.name != "posix" or process <= 0:  # elsewhere a signal of 0 is no question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True

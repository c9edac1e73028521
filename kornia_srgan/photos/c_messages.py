"""What the C libraries libtiff and LibRaw say of a damaged file: they print it to stderr, and only there."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
# libtiff names its function first, or the file as Pillow calls it; LibRaw says what it found in which file.
_LINE = re.compile(
    rb"(?:[A-Z_]\w*|tempfile\.tif): .+|.*: (?:data corrupted at -?\d+|[Uu]nexpected end of file)"
)
_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def c_messages() -> Iterator[list[str]]:
    """Catches the lines of libtiff and LibRaw while it lasts; the list holds them afterwards.

    What others print meanwhile is printed at the end. One thread at a time: the process has one stderr.
    """
    lines: list[str] = []
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as file:
        try:
            kept = os.dup(_STDERR)
        except OSError:  # the process has no stderr at all
            yield lines
            return
        os.dup2(file.fileno(), _STDERR)
        try:
            yield lines
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            file.seek(0)
            lines += _sorted_out(file.read())


def _sorted_out(printed: bytes) -> list[str]:
    """The lines of the libraries; the rest is printed."""
    theirs: list[str] = []
    others = b""
    for line in printed.splitlines(keepends=True):
        if _LINE.fullmatch(line.strip()):
            theirs.append(line.decode("utf-8", "replace").strip().rstrip("."))
        else:
            others += line
    if others:
        os.write(_STDERR, others)
    return theirs


def first_of(messages: list[str], longest: int = 120) -> str:
    """The first message, and how many follow."""
    more = f" and {len(messages) - 1} more" if len(messages) > 1 else ""
    return f"{messages[0][:longest]}{more}"


def damage_note(messages: list[str]) -> tuple[str, ...]:
    """A note on a picture that was decoded in spite of them; none where there are none."""
    if not messages:
        return ()
    return (f"it is damaged, and some of its pixels may be wrong ({first_of(messages)})",)

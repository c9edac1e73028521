"""Silence on stderr for what is not ours."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def libraries_silenced(wanted: bool) -> Iterator[None]:
    """While it lasts nothing reaches stderr: no warnings or logs of Python, no lines of C libraries.

    Errors are told after it, by whoever catches them. Without `wanted` nothing is silenced.
    """
    if not wanted:
        yield
        return
    with contextlib.ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        with contextlib.suppress(OSError):  # a process may have no stderr at all
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            os.dup2(nowhere.fileno(), 2)
        yield
        sys.stdout.flush()

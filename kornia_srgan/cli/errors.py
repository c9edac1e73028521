"""From an exception to one line on stderr and an exit code."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable

import typer

from kornia_srgan.errors import KorniaSRGANError, did_you_mean

# Typer shows the children of click's usage errors only; their bases are the same in all its versions.
UsageError = typer.BadParameter.__bases__[0]
ClickException = UsageError.__bases__[0]

INTERRUPTED = 130
_NO_COMMAND = re.compile(r"No such command '(.+)'")


def exit_code_of(action: Callable[[], int], *, debug: bool = False) -> int:
    """Run an action and return its exit code; an exception is reported on stderr.

    Args:
        action: What to do; returns an exit code.
        debug: Show the traceback before the line.

    Returns:
        What `action` returned; 2 for what the user can mend, 130 after Ctrl-C, otherwise 1.
    """
    try:
        code = action()
        sys.stdout.flush()
        return code
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`| head`). Python flushes stdout once more on exit: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        line, code = explain(error)
        print(line, file=sys.stderr)
        return code


def explain(error: Exception) -> tuple[str, int]:
    """The line to show for an exception, and the exit code."""
    if isinstance(error, KorniaSRGANError):
        return f"error: {_one_line(str(error))}", error.exit_code
    if isinstance(error, ClickException):
        message = _one_line(error.format_message()).rstrip(".")  # pyright: ignore[reportAttributeAccessIssue]
        return f"error: {message}{_see_help(error)}", 2
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "error: out of memory; use smaller tiles (--tile) or a smaller batch, or another --device", 2
    if isinstance(error, OSError) and error.filename is not None:
        return f"error: {error.strerror or 'cannot be read or written'}: {error.filename}", 2
    what = _one_line(f"{type(error).__name__}: {error}")
    return f"error: {what} (this is a fault of kornia-srgan; add --debug for the traceback to report)", 1


def _see_help(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    if context is None:
        return ""
    wrong = _NO_COMMAND.match(getattr(error, "message", ""))
    hint = did_you_mean(wrong[1], context.command.list_commands(context)) if wrong else ""
    return f"{hint or '.'} See: {context.command_path} --help"


def _one_line(text: str) -> str:
    return " ".join(text.split())

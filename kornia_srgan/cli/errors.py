"""From an exception to one line on stderr and an exit code."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import typer

from kornia_srgan.errors import did_you_mean
from kornia_srgan.explain import explain, one_line


@runtime_checkable
class Complaint(Protocol):
    """What Typer raises about a command line. Its classes moved between versions; this is what all have."""

    message: str

    def format_message(self) -> str:
        """The message for the user."""
        ...


@runtime_checkable
class UsageComplaint(Complaint, Protocol):
    """One that knows in which command it was raised."""

    ctx: Any


INTERRUPTED = 130
_NO_COMMAND = re.compile(r"No such command '(.+)'")


def exit_code_of(action: Callable[[], int], *, debug: bool = False) -> int:
    """Run an action and return its exit code; an exception is reported on stderr.

    Args:
        action: What to do; returns an exit code.
        debug: Show the traceback before the line.

    Returns:
        What `action` returned; 2 for a mistake in the input, 130 after Ctrl-C, otherwise 1.
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
        line, code = explain_command(error)
        print(line, file=sys.stderr)
        return code


def explain_command(error: Exception) -> tuple[str, int]:
    """`explain`, for what is wrong with the command line itself too."""
    if isinstance(error, Complaint):
        message = one_line(error.format_message()).rstrip(".")
        return f"error: {message}{_see_help(error)}", 2
    return explain(error)


def _see_help(error: Complaint) -> str:
    if not isinstance(error, UsageComplaint) or error.ctx is None:
        return ""
    context = error.ctx
    wrong = _NO_COMMAND.match(error.message)
    hint = did_you_mean(wrong[1], context.command.list_commands(context)) if wrong else ""
    return f"{hint or '.'} See: {context.command_path} --help"

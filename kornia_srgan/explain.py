"""Turns an exception into one line and an exit code, for the command line, the demo and reports."""

from __future__ import annotations

from kornia_srgan.errors import KorniaSRGANError


def explain(error: Exception) -> tuple[str, int]:
    """The line to show for an exception, and the exit code.

    Returns:
        One line that begins with `error:`; 2 for a mistake in the input, 1 for a bug in this package.
    """
    if isinstance(error, KorniaSRGANError):
        return f"error: {one_line(str(error))}", error.exit_code
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "error: out of memory; use smaller tiles (--tile) or a smaller batch, or another --device", 2
    if isinstance(error, OSError) and error.filename is not None:
        return f"error: {error.strerror or 'cannot be read or written'}: {error.filename}", 2
    what = one_line(f"{type(error).__name__}: {error}")
    return f"error: {what} (this is a bug in kornia-srgan; add --debug for the traceback to report)", 1


def one_line(problem: object, most: int | None = None) -> str:
    """The text of a problem on one line.

    Args:
        problem: An exception or a text.
        most: Largest number of characters.

    Returns:
        The text with all white space collapsed; for an exception without a message, its type.
    """
    text = " ".join(str(problem).split())[:most]
    return text or (type(problem).__name__ if isinstance(problem, BaseException) else "")


def first_line(error: BaseException) -> str:
    """The first line of an error's message, which may have a hundred; its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

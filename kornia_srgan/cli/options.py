"""Options and output that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

PluginOption = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="A Python file or module that registers components; may be given several times.",
    ),
]


def console(*, stderr: bool = False, width_when_piped: int = 1000) -> Console:
    """Where tables go: the terminal's width, or a fixed one where the output is piped or saved."""
    import sys

    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if terminal else width_when_piped
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def write_text(path: Path, text: str) -> None:
    """Write a report so that it is there as a whole or not at all.

    Raises:
        UserError: If the file cannot be written.
    """
    import os

    from kornia_srgan.errors import UserError

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True) if path.parent.is_dir() else None
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def check_writable(path: Path) -> None:
    """Find out before hours of work whether a file can be written; leaves nothing behind.

    Raises:
        UserError: If it cannot.
    """
    import os

    from kornia_srgan.errors import UserError

    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder")
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UserError(f"cannot write {path}: {parent} is not a folder that can be written to")

"""Options and output that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
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
        help="Python file or module that registers components; repeatable.",
    ),
]

HrOption = Annotated[
    list[Path] | None,
    typer.Option("--hr", metavar="DIR", help="HR images of pairs; give --lr too. Both may be repeated."),
]
LrOption = Annotated[
    list[Path] | None,
    typer.Option("--lr", metavar="DIR", help="The LR images that belong to those of --hr, by their names."),
]


def as_pairs(hr: list[Path] | None, lr: list[Path] | None) -> list[tuple[Path, Path]]:
    """The folders of `--hr` with those of `--lr`, in order.

    Raises:
        UserError: If one was given more often than the other.
    """
    from kornia_srgan.errors import UserError

    large, small = hr or [], lr or []
    if len(large) != len(small):
        raise UserError(
            f"--hr was given {len(large)} times and --lr {len(small)} times; each --hr needs its --lr",
            where="--lr",
        )
    return list(zip(large, small, strict=True))


def _settle_threads(count: int | None) -> int | None:
    from kornia_srgan.processor import set_threads

    set_threads(count)
    return count


WeightFileOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="OUT", help="The .safetensors file to write.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")]
TileOption = Annotated[
    str, typer.Option(help="Side of a tile in pixels, or auto; 0 processes the whole picture at once.")
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write all results to this file.")]
MarkdownOption = Annotated[bool, typer.Option("--markdown", help="Print tables as Markdown.")]
PairScaleOption = Annotated[int, typer.Option(min=1, help="Scale between HR and LR.")]

# Of `demo` and `serve`.
HostOption = Annotated[
    str, typer.Option(help="Address to listen on; with 0.0.0.0 others on the network can reach it.")
]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free port.")]
MoreWeightsOption = Annotated[
    list[str] | None,
    typer.Option(help="Name or file of additional weights; the first one is the default; repeatable."),
]
ServedDtypeOption = Annotated[str, typer.Option(help="auto, float32, float16, bfloat16.")]
MaxUploadOption = Annotated[int, typer.Option(min=1, help="Largest file in megabytes.")]
MaxPixelsOption = Annotated[int, typer.Option(min=1, help="Largest picture in megapixels.")]

ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads",
        min=1,
        callback=_settle_threads,
        help="Number of threads [default: as many as the process may use]",
    ),
]
"""Applied while the command line is parsed, before a command imports torch."""


def console(*, stderr: bool = False, width_when_piped: int = 1000) -> Console:
    """A console of the terminal's width, or of a fixed width if the output is piped or saved."""
    import sys

    from rich.console import Console

    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if terminal else width_when_piped
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def print_table(headings: Iterable[str], rows: Iterable[Iterable[str]], notes: Iterable[str] = ()) -> None:
    """Print a table on stdout, with notes below it; brackets are printed literally."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out = console()
    out.print(table)
    for note in notes:
        out.print(note)


def check_writable(path: Path) -> None:
    """Check before the work whether a file can be written, without creating it.

    Raises:
        UserError: If it cannot.
    """
    import os

    from kornia_srgan.errors import UserError

    parent = path.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder", where=path)
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UserError(f"cannot write {path}: {parent} is not a folder that can be written to", where=path)


def check_weights_output(path: Path) -> None:
    """`check_writable` for a weight file, whose suffix must be `.safetensors`.

    Raises:
        WeightsError: If it has another suffix.
        UserError: If it cannot be written.
    """
    from kornia_srgan.errors import WeightsError
    from kornia_srgan.weights.locate import SUFFIX

    if path.suffix != SUFFIX:
        raise WeightsError.at(path, f"weights are written as safetensors; name it {path.stem}{SUFFIX}")
    check_writable(path)

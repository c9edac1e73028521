"""`kornia-srgan models`: list weights that are packaged, downloaded or in the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kornia_srgan.cli.options import print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kornia_srgan.weights.omdb import CommunityFile


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]", help="Words that must all occur in the name, author or tags."),
    ] = None,
    scale: Annotated[int | None, typer.Option(min=1, help="Show models of this scale.")] = None,
    arch: Annotated[str, typer.Option(help="Architecture: esrgan, compact, hat, ...")] = "",
    license: Annotated[str, typer.Option(help="Licence: CC0, Apache, MIT, ...")] = "",
    catalogue: Annotated[
        str | None, typer.Option(metavar="FILE", help="OpenModelDB's models.json, as a file or address.")
    ] = None,
) -> None:
    """List the weights you can use by name.

    These are packaged, downloaded, or in the catalogue of OpenModelDB. Pass a name as --weights.
    """
    from kornia_srgan.errors import OfflineError
    from kornia_srgan.weights.omdb import read_catalogue

    notes = []
    try:
        known = read_catalogue(catalogue)
    except OfflineError as error:
        known, notes = {}, [str(error)]
    rows = [*_packaged(), *(_row(entry) for entry in known.values())]
    wanted = [word.lower() for word in words or ()]
    shown = [
        row[:-1]
        for row in rows
        if all(word in " ".join(row).lower() for word in wanted)
        and scale in (None, int(row[1].removeprefix("x")))
        and arch.lower() in row[2].lower()
        and license.lower() in row[3].lower()
    ]
    headings = ("name", "scale", "architecture", "licence", "author", "where")
    print_table(headings, shown, [f"{len(shown)} of {len(rows)} models", *notes])


def _packaged() -> Iterator[tuple[str, ...]]:
    from kornia_srgan.weights.files import read_spec
    from kornia_srgan.weights.locate import locate_weights, zoo_names

    for name in zoo_names():
        spec = read_spec(locate_weights(name))
        yield name, f"x{spec.scale}", spec.name, spec.license, "kornia_srgan", "packaged", ""


def _row(entry: CommunityFile) -> tuple[str, ...]:
    from kornia_srgan.weights.omdb import PREFIX, cached_file

    where = (
        "downloaded"
        if entry.kind and cached_file(entry).is_file()
        else "OpenModelDB"
        if entry.kind
        else "page only"
    )
    cells = (entry.id, entry.architecture, entry.license or "not stated", ", ".join(entry.authors))
    return f"{PREFIX}{cells[0]}", f"x{entry.scale}", *cells[1:], where, f"{entry.name} {' '.join(entry.tags)}"

"""`kornia-srgan list`: every registered component."""

from __future__ import annotations

from typing import Annotated

import typer

from kornia_srgan.cli.options import PluginOption, console


def command(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="generator, discriminator, image_loss, ...")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Only components of this source: a part of its name.")
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """List the registered components with their summary and source."""
    from rich.table import Table
    from rich.text import Text

    from kornia_srgan.catalog import REGISTRIES, get_registry
    from kornia_srgan.plugins import load_entry_points, load_plugins

    load_entry_points()
    load_plugins(plugin or ())
    registries = [get_registry(kind)] if kind else list(REGISTRIES.values())
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("kind", "name", "summary", "source"):
        table.add_column(heading, no_wrap=heading in ("kind", "name"), overflow="fold")
    for registry in registries:
        for entry in registry.entries():
            if source is None or source in entry.source:
                names = ", ".join((entry.name, *entry.aliases))
                row = (registry.kind, names, entry.summary, entry.source)
                table.add_row(*(Text(cell) for cell in row))
    if table.row_count:
        console().print(table)
    else:
        typer.echo("no component of that kind and source", err=True)

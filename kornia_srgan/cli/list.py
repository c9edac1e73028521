"""`kornia-srgan list`: list the registered components."""

from __future__ import annotations

from typing import Annotated

import typer

from kornia_srgan.cli.options import PluginOption, console


def command(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="generator, discriminator, image_loss, ...")
    ] = None,
    source: Annotated[
        bool, typer.Option("--source", help="Also show the class or function of each component.")
    ] = False,
    plugin: PluginOption = None,
) -> None:
    """List the registered components."""
    from rich.table import Table
    from rich.text import Text

    from kornia_srgan.registry.catalog import REGISTRIES, get_registry
    from kornia_srgan.registry.plugins import load_entry_points, load_plugins

    load_entry_points()
    load_plugins(plugin or ())
    registries = [get_registry(kind)] if kind else list(REGISTRIES.values())
    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = ("kind", "name", "summary", "source", *(("factory",) if source else ()))
    for heading in headings:
        table.add_column(heading, no_wrap=heading in ("kind", "name"), overflow="fold")
    for registry in registries:
        for entry in registry.entries():
            names = ", ".join((entry.name, *entry.aliases))
            row = (registry.kind, names, entry.summary, entry.source, entry.factory_path)
            table.add_row(*(Text(cell) for cell in row[: len(headings)]))
    console().print(table)

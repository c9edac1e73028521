"""`kornia-srgan describe`: one component, its arguments and its reference."""

from __future__ import annotations

from typing import Annotated

import typer

from kornia_srgan.cli.options import PluginOption, console


def command(
    kind: Annotated[str, typer.Argument(help="generator, discriminator, image_loss, ...")],
    name: Annotated[str, typer.Argument(help="A name or alias, as `kornia-srgan list` shows it.")],
    plugin: PluginOption = None,
) -> None:
    """Describe a component: arguments, types, defaults, documentation, reference."""
    from rich.table import Table
    from rich.text import Text

    from kornia_srgan.registry.catalog import get_registry
    from kornia_srgan.registry.plugins import load_plugins

    load_plugins(plugin or ())
    described = get_registry(kind).describe(name)
    out = console()
    out.print(Text(f"{described.kind} {described.name}", style="bold"))
    for label, value in (
        ("aliases", ", ".join(described.aliases)),
        ("summary", described.summary),
        ("reference", described.paper),
        ("source", described.source),
        ("factory", described.factory),
    ):
        if value:
            out.print(Text(f"  {label:<10}{value}"))
    if described.parameters:
        table = Table(box=None, padding=(0, 2, 0, 2), header_style="bold")
        for heading in ("argument", "type", "default"):
            table.add_column(heading)
        for parameter in described.parameters:
            default = "required" if parameter.default is None else parameter.default
            table.add_row(Text(parameter.name), Text(parameter.annotation), Text(default))
        out.print()
        out.print(table)
    if described.doc:
        out.print()
        out.print(Text(described.doc))

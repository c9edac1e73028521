"""`kornia-srgan describe`: show a component or weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kornia_srgan.cli.options import PluginOption, console

if TYPE_CHECKING:
    from torch import nn


def command(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND|WEIGHTS", help="generator, image_loss, ...; or the name or file of weights."
        ),
    ],
    name: Annotated[
        str | None, typer.Argument(help="Name or alias of the component, see `kornia-srgan list`.")
    ] = None,
    plugin: PluginOption = None,
) -> None:
    """Describe a component or weights.

    Shows the arguments of a component, or the architecture, scale, licence, tiling and supported precision of
    weights of any project.
    """
    if name is None:
        _describe_weights(kind, plugin or [])
        return
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


def _describe_weights(source: str, plugins: list[str]) -> None:
    """What some weights are, whoever made them, and what they need when a picture is cut into tiles."""
    from kornia_srgan.assembly import build_imported, load_generator
    from kornia_srgan.components.generators.community import SpandrelGenerator
    from kornia_srgan.errors import UnknownComponentError, UserError
    from kornia_srgan.geometry import geometry_of, supported_dtypes
    from kornia_srgan.registry.catalog import get_registry
    from kornia_srgan.registry.plugins import load_plugins
    from kornia_srgan.weights.foreign import import_weights, is_foreign
    from kornia_srgan.weights.locate import locate_weights
    from kornia_srgan.weights.spec import describe_channels

    try:
        names = ", ".join(get_registry(source).names())
    except UnknownComponentError:
        pass
    else:
        raise UserError(f"describe {source} needs a name: {names}", where=source)
    load_plugins(plugins)
    path = locate_weights(source)
    if is_foreign(path):
        imported = import_weights(path)
        module, lines = build_imported(imported, path), imported.report()
    else:
        loaded = load_generator(path)
        module, spec = loaded.module, loaded.spec
        arguments = ", ".join(f"{key}={value}" for key, value in spec.args.items())
        origin = spec.training.get("imported_from") or spec.training.get("recipe")
        lines = [f"generator: {spec.name} x{spec.scale} ({arguments})"]
        if spec.channels != 3 or spec.data_range:
            lines.append(f"images:    {describe_channels(spec.channels, spec.data_range)}")
        lines += [f"made from: {origin}"] if origin else []
        lines += [f"licence:   {spec.license or 'not stated'}"]
    geometry = geometry_of(module)
    tiles = "none, it takes pictures whole" if geometry.halo is None else f"overlap by {geometry.halo} pixels"
    if isinstance(module, SpandrelGenerator) and module.side is not None:
        tiles += f": one face in {module.side} x {module.side} pixels"
    lines.append(f"tiles:     {tiles}{' and are blended' if geometry.blend else ''}")
    lines.append(f"computes:  in {', '.join(d for d in supported_dtypes(module) if d != 'float64')}")
    lines.append(f"size:      {_size(module)}")
    for line in lines:
        typer.echo(line)


def _size(module: nn.Module) -> str:
    """The parameters, and how many are left in inference where that is fewer."""
    from kornia_srgan.optimize.rewrites import count_folded_parameters

    own, left = sum(p.numel() for p in module.parameters()), count_folded_parameters(module)
    return f"{own:,} parameters" + (f", {left:,} in inference" if left != own else "")

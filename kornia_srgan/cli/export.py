"""`kornia-srgan export`: export a generator to other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kornia_srgan.cli.options import PluginOption, ThreadsOption, check_writable


def command(
    weights: Annotated[
        str, typer.Argument(metavar="WEIGHTS", help="Packaged name, file, or hf-hub:owner/name.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    file_format: Annotated[
        str | None,
        typer.Option("--format", help="onnx or pt2 (torch.export) [default: by the suffix of FILE]"),
    ] = None,
    plugin: PluginOption = None,
    threads: ThreadsOption = None,
) -> None:
    """Export a generator to ONNX or torch.export.

    Batch, height and width stay free. The result is checked against the original.
    """
    from kornia_srgan.export import export_generator, pick_format
    from kornia_srgan.registry.plugins import load_plugins

    load_plugins(plugin or ())
    check_writable(output)
    done = export_generator(weights, output, format=pick_format(output, file_format))
    typer.echo(f"generator: {done.spec.name} x{done.spec.scale}")
    for check in done.parity:
        shape = "x".join(map(str, check.shape))
        typer.echo(f"parity:    {shape:12} differs by at most {check.difference:.1e}")
    if done.align > 1:
        typer.echo(f"sizes:     height and width must be multiples of {done.align}")
    typer.echo(f"written:   {done.path} ({done.format}, {done.path.stat().st_size / 1e6:.1f} MB)")

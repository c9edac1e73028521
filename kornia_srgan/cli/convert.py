"""`kornia-srgan convert`: weights of other projects become weights of this one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kornia_srgan.cli.options import check_weights_output


def command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A checkpoint: .pth, .pt, .pth.tar, .ckpt, .safetensors.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The .safetensors file to write.")
    ],
    license: Annotated[
        str, typer.Option(help="The weights' licence as their authors state it, for the header.")
    ] = "",
    half: Annotated[bool, typer.Option("--half", help="Store float16: half the size.")] = False,
) -> None:
    """Convert a checkpoint of another project; its architecture is found from keys and shapes.

    Pickles are read as tensors only: one that asks to run anything else is refused.
    """
    check_weights_output(output)
    _refuse_own(file)
    for line in _convert(file, output, license, half):
        typer.echo(line)


def _refuse_own(file: Path) -> None:
    from kornia_srgan.errors import WeightsError
    from kornia_srgan.weights.files import read_spec

    try:
        spec = read_spec(file)
    except WeightsError:
        return  # another project's, or no weights at all: reading it will say
    raise WeightsError(f"{file} is already a weight file of kornia-srgan ({spec.name} x{spec.scale})")


def _convert(file: Path, output: Path, license: str, half: bool) -> list[str]:
    from dataclasses import replace

    import torch

    from kornia_srgan.assembly import generator_spec, load_generator
    from kornia_srgan.config.model import Component
    from kornia_srgan.errors import WeightsError
    from kornia_srgan.weights.files import save_weights
    from kornia_srgan.weights.foreign import import_weights

    imported = import_weights(file)
    module = load_generator(file).module  # loads strictly, so that what is written fits
    if half:
        limit = torch.finfo(torch.float16).max
        for key, value in module.state_dict().items():
            if value.is_floating_point() and float(value.abs().max()) > limit:
                raise WeightsError(f"{file}: '{key}' holds values above {limit:g}; convert it without --half")
    component = Component(name=imported.spec.name, args=dict(imported.spec.args))
    recorded = generator_spec(component, imported.spec.scale)
    spec = replace(recorded, training=imported.spec.training, license=license)
    save_weights(output, module.state_dict(), spec, dtype=torch.float16 if half else None)
    return [*imported.report(), f"written:   {output}"]

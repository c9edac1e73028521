"""`kornia-srgan convert`: convert checkpoints of other projects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kornia_srgan.cli.options import ThreadsOption, WeightFileOption, check_weights_output

if TYPE_CHECKING:
    from torch import nn


def command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A checkpoint: .pth, .pt, .pth.tar, .ckpt, .safetensors.")
    ],
    output: WeightFileOption,
    license: Annotated[str, typer.Option(help="Licence of the weights, as stated by their authors.")] = "",
    half: Annotated[bool, typer.Option("--half", help="Store float16, which halves the file size.")] = False,
    threads: ThreadsOption = None,
) -> None:
    """Convert a checkpoint of another project.

    The architecture is detected from the names and shapes of the tensors.

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
    raise WeightsError(
        f"{file} is already a weight file of kornia-srgan ({spec.name} x{spec.scale})", where=file
    )


def _convert(file: Path, output: Path, license: str, half: bool) -> list[str]:
    from dataclasses import replace

    import torch

    from kornia_srgan.assembly import build_imported, generator_spec
    from kornia_srgan.config.model import Component
    from kornia_srgan.errors import WeightsError
    from kornia_srgan.weights.files import check_finite, save_weights
    from kornia_srgan.weights.foreign import import_weights

    imported = import_weights(file)
    module = build_imported(imported, file)  # loads strictly, so that what is written fits
    if half:
        limit = torch.finfo(torch.float16).max
        for key, value in module.state_dict().items():
            if value.is_floating_point() and float(value.abs().max()) > limit:
                raise WeightsError.at(
                    file, f"'{key}' holds values above {limit:g}; convert it without --half"
                )
    component = Component(name=imported.spec.name, args={**imported.spec.args, **_measured(module)})
    recorded = generator_spec(component, imported.spec.scale)
    spec = replace(recorded, training=imported.spec.training, license=license)
    check_finite(module.state_dict(), file)
    save_weights(output, module.state_dict(), spec, dtype=torch.float16 if half else None)
    return [*imported.report(), f"written:   {output}"]


def _measured(module: nn.Module) -> dict[str, int]:
    """What a community's network was measured to need for tiles, so that it is not measured again."""
    from kornia_srgan.components.generators.community import SpandrelGenerator

    if not isinstance(module, SpandrelGenerator) or module.halo is None:
        return {}
    return {"overlap": module.halo, "blend": module.blend}

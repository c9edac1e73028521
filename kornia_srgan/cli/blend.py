"""`kornia-srgan blend`: interpolate between two weights."""

from __future__ import annotations

from typing import Annotated

import typer

from kornia_srgan.cli.options import ThreadsOption, WeightFileOption, check_weights_output


def command(
    first: Annotated[
        str, typer.Argument(metavar="FIRST", help="Name or path of weights, such as srresnet-x4.")
    ],
    second: Annotated[
        str, typer.Argument(metavar="SECOND", help="Weights of the same architecture, such as srgan-x4.")
    ],
    output: WeightFileOption,
    amount: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of SECOND, from 0 (only FIRST) to 1 (only SECOND).")
    ] = 0.5,
    threads: ThreadsOption = None,
) -> None:
    """Blend two weights, such as a PSNR generator and its GAN.

    Network interpolation of ESRGAN (arXiv 1809.00219, section 3.4): less invented texture, no training.
    """
    from kornia_srgan.weights.blend import blend_weights

    check_weights_output(output)
    spec = blend_weights(first, second, output, amount=amount)
    typer.echo(f"written:   {output} ({spec.name} x{spec.scale}, {amount:g} of {second})")

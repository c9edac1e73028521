"""RRDBNet of ESRGAN and Real-ESRGAN, under the three names its layers have had.

The first ESRGAN files are one flat `model.N`; KAIR, BSRGAN and the later ESRGAN repository say `RRDB_trunk`;
BasicSR, Real-ESRGAN and mmagic say `body`, as Kornia does.
"""

from __future__ import annotations

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.foreign.layout import Converted, Layout, State, check_rgb, count, rename_keys

_SCALE_OF_INPUTS = {3: 4, 12: 2, 48: 1}  # x2 and x1 take a pixel-unshuffled image


def _convert(state: State) -> Converted:
    first, last = state["conv_first.weight"], state["conv_last.weight"]
    scale = _SCALE_OF_INPUTS.get(first.shape[1], 4)
    check_rgb(first, last, inputs=48 // scale**2)
    args = {
        "channels": first.shape[0],
        "num_blocks": count(state, "body."),
        "growth_channels": state["body.0.rdb1.conv1.weight"].shape[0],
    }
    return Converted("rrdb", dict(args), scale, dict(state))


def _convert_flat(state: State) -> Converted:
    """`trunk.N` holds the blocks and, last, the convolution after them; `model.N` what follows."""
    after = sorted({int(key.split(".")[1]) for key in state if key.startswith("model.")})
    if after != [3, 6, 8, 10]:
        raise WeightsError(f"an RRDBNet with layers model.{after} is not x4; only x4 of this layout is read")
    names = dict(zip(after, ("conv_up1", "conv_up2", "conv_hr", "conv_last"), strict=True))

    def rename(key: str) -> str:
        match key.split("."):
            case ["model", number, part]:
                return f"{names[int(number)]}.{part}"
            case ["trunk", _, part]:
                return f"conv_body.{part}"
        return key.replace("RDB", "rdb")

    return _convert(rename_keys(state, rename))


def _convert_kair(state: State) -> Converted:
    return _convert(rename_keys(state, lambda key: key.replace("RDB", "rdb")))


BASICSR = Layout(
    name="BasicSR and Real-ESRGAN RRDBNet",
    rules=(
        (r"(conv_first|conv_body|conv_up1|conv_up2|conv_hr|conv_last)\.(weight|bias)", r"\1.\2"),
        (r"body\.(\d+)\.(rdb[123])\.(conv[1-5])\.(weight|bias)", r"body.\1.\2.\3.\4"),
    ),
    convert=_convert,
)

KAIR = Layout(
    name="KAIR, BSRGAN and ESRGAN RRDBNet",
    rules=(
        (r"(conv_first|conv_last)\.(weight|bias)", r"\1.\2"),
        (r"RRDB_trunk\.(\d+)\.(RDB[123])\.(conv[1-5])\.(weight|bias)", r"body.\1.\2.\3.\4"),
        (r"trunk_conv\.(weight|bias)", r"conv_body.\1"),
        (r"upconv([12])\.(weight|bias)", r"conv_up\1.\2"),
        (r"HRconv\.(weight|bias)", r"conv_hr.\1"),
    ),
    convert=_convert_kair,
)

FLAT = Layout(
    name="ESRGAN of 2018",
    rules=(
        (r"model\.0\.(weight|bias)", r"conv_first.\1"),
        (r"model\.1\.sub\.(\d+)\.(RDB[123])\.(conv[1-5])\.0\.(weight|bias)", r"body.\1.\2.\3.\4"),
        (r"model\.1\.sub\.(\d+)\.(weight|bias)", r"trunk.\1.\2"),
        (r"model\.(\d+)\.(weight|bias)", r"model.\1.\2"),
    ),
    convert=_convert_flat,
)

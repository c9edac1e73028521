"""RRDBNet of ESRGAN and Real-ESRGAN, under the three names its layers have had, at any scale.

The first ESRGAN files are one flat `model.N`; KAIR, BSRGAN and the later ESRGAN repository say `RRDB_trunk`;
BasicSR, Real-ESRGAN and mmagic say `body`, as Kornia does. How often the network doubles is seen from its
layers, what it unshuffles first from its inputs. ESRGAN+ has a `conv1x1` in each dense block.
"""

from __future__ import annotations

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.foreign.layout import (
    Converted,
    Layout,
    State,
    check_rgb,
    count_numbered,
    rename_keys,
)
from kornia_srgan.weights.spec import JSON

_UNSHUFFLED = {3: 1, 12: 2, 48: 4, 192: 8}  # factor of the pixel-unshuffle by the channels it gives
_PLUS = "conv1x1"


def _convert(state: State) -> Converted:
    first, last = state["conv_first.weight"], state["conv_last.weight"]
    doublings = len({key for key in state if key.startswith("conv_up")} & set(_up_weights(9)))
    if any(key not in state for key in _up_weights(doublings)):
        raise WeightsError("its layers 'conv_upN' are not numbered from 1 on")
    unshuffled = _UNSHUFFLED.get(first.shape[1], 1)
    check_rgb(first, last, inputs=3 * unshuffled**2)
    if 2**doublings % unshuffled:
        raise WeightsError(f"it unshuffles by {unshuffled} and enlarges by {2**doublings}")
    scale = 2**doublings // unshuffled
    args: dict[str, JSON] = {
        "channels": first.shape[0],
        "num_blocks": count_numbered(state, "body."),
        "growth_channels": state["body.0.rdb1.conv1.weight"].shape[0],
    }
    if doublings != max(2, scale.bit_length() - 1):  # else the component's own default
        args["doublings"] = doublings
    if any(f".{_PLUS}." in key for key in state):
        args["plus"] = True
    return Converted("rrdb", args, scale, dict(state))


def _up_weights(number: int) -> list[str]:
    return [f"conv_up{step}.weight" for step in range(1, number + 1)]


def _convert_flat(state: State) -> Converted:
    """`trunk.N` holds the blocks and, last, the convolution after them; `model.N` what follows.

    There, every doubling is three layers of which the second is a convolution: `model.3`, `model.6`, ...; the
    last two convolutions follow at a distance of two.
    """
    after = sorted({int(key.split(".")[1]) for key in state if key.startswith("model.")})
    doublings = len(after) - 2
    ends = [3 * doublings + 2, 3 * doublings + 4]
    if after != [*range(3, 3 * doublings + 1, 3), *ends]:
        raise WeightsError(f"its layers model.{after} are not those of an RRDBNet of any scale")
    parts = [*(f"conv_up{step}" for step in range(1, doublings + 1)), "conv_hr", "conv_last"]
    names = dict(zip(after, parts, strict=True))

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
        (r"(conv_first|conv_body|conv_hr|conv_last)\.(weight|bias)", r"\1.\2"),
        (r"?(conv_up\d)\.(weight|bias)", r"\1.\2"),
        (r"body\.(\d+)\.(rdb[123])\.(conv[1-5])\.(weight|bias)", r"body.\1.\2.\3.\4"),
        (r"?body\.(\d+)\.(rdb[123])\.conv1x1\.weight", r"body.\1.\2.conv1x1.weight"),
    ),
    convert=_convert,
)

KAIR = Layout(
    name="KAIR, BSRGAN and ESRGAN RRDBNet",
    rules=(
        (r"(conv_first|conv_last)\.(weight|bias)", r"\1.\2"),
        (r"RRDB_trunk\.(\d+)\.(RDB[123])\.(conv[1-5])\.(weight|bias)", r"body.\1.\2.\3.\4"),
        (r"?RRDB_trunk\.(\d+)\.(RDB[123])\.conv1x1\.weight", r"body.\1.\2.conv1x1.weight"),
        (r"trunk_conv\.(weight|bias)", r"conv_body.\1"),
        (r"?upconv(\d)\.(weight|bias)", r"conv_up\1.\2"),
        (r"HRconv\.(weight|bias)", r"conv_hr.\1"),
    ),
    convert=_convert_kair,
)

FLAT = Layout(
    name="ESRGAN of 2018",
    rules=(
        (r"model\.0\.(weight|bias)", r"conv_first.\1"),
        (r"model\.1\.sub\.(\d+)\.(RDB[123])\.(conv[1-5])\.0\.(weight|bias)", r"body.\1.\2.\3.\4"),
        (r"?model\.1\.sub\.(\d+)\.(RDB[123])\.conv1x1\.weight", r"body.\1.\2.conv1x1.weight"),
        (r"model\.1\.sub\.(\d+)\.(weight|bias)", r"trunk.\1.\2"),
        (r"model\.(\d+)\.(weight|bias)", r"model.\1.\2"),
    ),
    convert=_convert_flat,
)

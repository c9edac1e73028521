"""MSRResNet of BasicSR and of mmagic: SRResNet without BatchNorm, on top of the bilinear image.

The two differ in more than names: mmagic has no activation after its pixel shuffles.
"""

from __future__ import annotations

from functools import partial

from kornia_srgan.weights.foreign.layout import (
    Converted,
    Layout,
    State,
    check_rgb,
    count_numbered,
    rename_keys,
    shuffle_factor,
)
from kornia_srgan.weights.spec import JSON


def _convert(state: State, *, upsample_activation: bool) -> Converted:
    state = rename_keys(state, _count_steps_from_zero)
    check_rgb(state["conv_first.weight"], state["conv_last.weight"])
    channels = state["conv_first.weight"].shape[0]
    scale = 1
    for step in range(count_numbered(state, "upsample.")):
        scale *= shuffle_factor(state[f"upsample.{step}.0.weight"], channels)
    args: dict[str, JSON] = {
        "channels": channels,
        "num_blocks": count_numbered(state, "body."),
        "upsample_activation": upsample_activation,
    }
    return Converted("msrresnet", args, scale, state)


def _count_steps_from_zero(key: str) -> str:
    match key.split("."):
        case ["upsample", number, *rest]:
            return ".".join(["upsample", str(int(number) - 1), *rest])
    return key


_COMMON = ((r"(conv_first|conv_hr|conv_last)\.(weight|bias)", r"\1.\2"),)

BASICSR = Layout(
    name="BasicSR MSRResNet",
    rules=(
        *_COMMON,
        (r"body\.(\d+)\.(conv[12])\.(weight|bias)", r"body.\1.\2.\3"),
        (r"upconv(\d)\.(weight|bias)", r"upsample.\1.0.\2"),
    ),
    convert=partial(_convert, upsample_activation=True),
)

MMAGIC = Layout(
    name="mmagic MSRResNet",
    rules=(
        *_COMMON,
        (r"trunk_net\.(\d+)\.(conv[12])\.(weight|bias)", r"body.\1.\2.\3"),
        (r"upsample(\d)\.upsample_conv\.(weight|bias)", r"upsample.\1.0.\2"),
    ),
    convert=partial(_convert, upsample_activation=False),
)

"""leftthomas/SRGAN: five residual blocks `block2` to `block6`, a tanh mapped to [0, 1] at the end.

Early files close the body with a convolution and a PReLU, later ones with a convolution and BatchNorm.
"""

from __future__ import annotations

from kornia_srgan.weights.foreign.layout import NORM, Converted, Layout, State, rename_keys
from kornia_srgan.weights.foreign.srresnet import build_srresnet

_FIRST_BLOCK = 2


def _convert(state: State) -> Converted:
    closing = "end_norm" if "closing.running_mean" in state else "end_act"

    def rename(key: str) -> str:
        match key.split("."):
            case ["block", number, *rest]:
                return ".".join(["block", str(int(number) - _FIRST_BLOCK), *rest])
            case ["closing", part]:
                return f"{closing}.{part}"
            case ["tail", _, part]:  # its number follows those of the upsampling steps
                return f"tail.{part}"
        return key

    return build_srresnet(rename_keys(state, rename), output="tanh")


LAYOUT = Layout(
    name="leftthomas/SRGAN",
    rules=(
        (r"block1\.0\.(weight|bias)", r"head.\1"),
        (r"block1\.1\.weight", "head_act.weight"),
        (r"block7\.0\.(weight|bias)", r"end.\1"),
        (rf"block7\.1\.{NORM}", r"closing.\1"),
        (r"block([2-6])\.(conv[12])\.(weight|bias)", r"block.\1.\2.\3"),
        (rf"block([2-6])\.bn([12])\.{NORM}", r"block.\1.norm\2.\3"),
        (r"block([2-6])\.prelu\.weight", r"block.\1.act.weight"),
        (r"block8\.(\d+)\.conv\.(weight|bias)", r"up.\1.\2"),
        (r"block8\.(\d+)\.prelu\.weight", r"up_act.\1.weight"),
        (r"block8\.(\d+)\.(weight|bias)", r"tail.\1.\2"),
    ),
    convert=_convert,
)

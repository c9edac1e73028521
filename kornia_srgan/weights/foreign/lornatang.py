"""Lornatang/SRGAN-PyTorch: SRResNet with BatchNorm whose output is [0, 1], clamped.

Two ways of naming the same network (2022: `conv_block1`; later: `conv1`). The files of 2021, which end in a
tanh, are another network in another range and are not read.
"""

from __future__ import annotations

from kornia_srgan.weights.foreign.layout import NORM, Converted, Layout, State, rename_keys
from kornia_srgan.weights.foreign.srresnet import build_srresnet

_RCB = {"0": "conv1", "1": "norm1", "2": "act", "3": "conv2", "4": "norm2"}


def _convert(state: State) -> Converted:
    return build_srresnet(rename_keys(state, _common_key), output="unit")


def _common_key(key: str) -> str:
    match key.split("."):
        case ["block", number, layer, part]:
            return f"block.{number}.{_RCB[layer]}.{part}"
    return key


def _layout(name: str, first: str, second: str, third: str) -> Layout:
    return Layout(
        name=name,
        rules=(
            (rf"{first}\.0\.(weight|bias)", r"head.\1"),
            (rf"{first}\.1\.weight", "head_act.weight"),
            (rf"trunk\.(\d+)\.rcb\.([0-4])\.{NORM}", r"block.\1.\2.\3"),
            (rf"{second}\.0\.weight", "end.weight"),
            (rf"{second}\.1\.{NORM}", r"end_norm.\1"),
            (r"upsampling\.(\d+)\.upsample_block\.0\.(weight|bias)", r"up.\1.\2"),
            (r"upsampling\.(\d+)\.upsample_block\.2\.weight", r"up_act.\1.weight"),
            (rf"{third}\.(weight|bias)", r"tail.\1"),
        ),
        convert=_convert,
    )


LAYOUT = _layout("Lornatang/SRGAN-PyTorch", "conv1", "conv2", "conv3")
LAYOUT_2022 = _layout("Lornatang/SRGAN-PyTorch of 2022", "conv_block1", "conv_block2", "conv_block3")

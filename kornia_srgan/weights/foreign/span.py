"""SPAN as published and as other trainers save it: `conv_1`, `block_N`, `conv_2`, `conv_cat`, `upsampler`."""

from __future__ import annotations

from kornia_srgan.weights.foreign.layout import (
    Converted,
    Layout,
    State,
    check_rgb,
    count_numbered,
    shuffle_factor,
)

_PART = r"(sk|conv\.[0-2])\.(weight|bias)"
_FOLDED = "folded."


def _convert(state: State) -> Converted:
    first, last = state["conv_1.sk.weight"], state["upsampler.0.weight"]
    scale = shuffle_factor(last, 3)
    check_rgb(first, last[: last.shape[0] // scale**2])
    args = {
        "channels": first.shape[0],
        "num_blocks": count_numbered(
            {f"block_{int(k[6:].split('.')[0]) - 1}.": v for k, v in state.items() if k.startswith("block_")},
            "block_",
        ),
        "norm": "no_norm" not in state,
    }
    # `eval_conv` is the folded convolution; their network, too, computes it anew.
    kept = {k: v for k, v in state.items() if not k.startswith(_FOLDED) and k != "no_norm"}
    return Converted("span", dict(args), scale, kept)


LAYOUT = Layout(
    name="SPAN",
    rules=(
        (rf"(conv_[12])\.{_PART}", r"\1.\2.\3"),
        (rf"block_(\d+)\.(c[123]_r)\.{_PART}", r"block_\1.\2.\3.\4"),
        (r"(conv_cat|upsampler\.0)\.(weight|bias)", r"\1.\2"),
        (r"?((?:conv_[12]|block_\d+\.c[123]_r)\.eval_conv\.(?:weight|bias))", _FOLDED + r"\1"),
        (r"?no_norm", "no_norm"),
    ),
    convert=_convert,
)

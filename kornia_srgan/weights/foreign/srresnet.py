"""From the common names of an SRResNet with BatchNorm to the generator `build_srresnet`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.foreign.layout import (
    Converted,
    State,
    check_rgb,
    count_numbered,
    rename_keys,
    shuffle_factor,
)
from kornia_srgan.weights.spec import JSON

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK = {"conv1": 0, "norm1": 1, "act": 2, "conv2": 3, "norm2": 4}  # index in ResidualBlock.layers
_HEAD = {"head": 0, "head_act": 1}
_UP = {"up": 0, "up_act": 2}


def build_srresnet(state: State, *, output: str) -> Converted:
    """Build the generator `build_srresnet` of tensors named by what they are.

    Args:
        state: Keys `head.*`, `head_act.weight`, `block.N.{conv1,norm1,act,conv2,norm2}.*`, `end.*` with
            `end_norm.*` or `end_act.weight`, `up.N.*`, `up_act.N.weight`, `tail.*`.
        output: What the last convolution gives: `signed`, `unit` or `tanh`.
    """
    check_rgb(state["head.weight"], state["tail.weight"])
    channels = state["head.weight"].shape[0]
    blocks = count_numbered(state, "block.")
    scale = 1
    for step in range(count_numbered(state, "up.")):
        scale *= shuffle_factor(state[f"up.{step}.weight"], channels)
    args: dict[str, JSON] = {"channels": channels, "num_blocks": blocks, "norm": "batch", "output": output}
    if "end_act.weight" in state:
        args["body_end"] = "prelu"
    own = rename_keys(_fold_biases(state), lambda key: _own_key(key, blocks))
    return Converted("srresnet", args, scale, own)


def _own_key(key: str, blocks: int) -> str:
    end = {"end": blocks, "end_norm": blocks + 1, "end_act": blocks + 1}
    match key.split("."):
        case ["head" | "head_act" as layer, part]:
            return f"head.{_HEAD[layer]}.{part}"
        case ["block", number, layer, part]:
            return f"body.{number}.layers.{_BLOCK[layer]}.{part}"
        case ["end" | "end_norm" | "end_act" as layer, part]:
            return f"body.{end[layer]}.{part}"
        case ["up" | "up_act" as layer, number, part]:
            return f"upsample.{number}.{_UP[layer]}.{part}"
    return key


def _fold_biases(state: State) -> dict[str, Tensor]:
    """Take the biases of convolutions before BatchNorm up into its mean; the output stays the same.

    Files of PyTorch before 0.4.1 have no `num_batches_tracked`; it is added.
    """
    import torch

    folded = dict(state)
    for key in state:
        if not key.endswith(".running_mean"):
            continue
        norm = key.removesuffix(".running_mean")
        bias = f"{_conv_before(norm)}.bias"
        if bias in folded:
            if folded[bias].shape != state[key].shape:  # subtraction would broadcast
                raise WeightsError(f"its '{bias}' has shape {tuple(folded[bias].shape)}")
            folded[key] = state[key] - folded.pop(bias)
        folded.setdefault(f"{norm}.num_batches_tracked", torch.zeros((), dtype=torch.int64))
    return folded


def _conv_before(norm: str) -> str:
    return "end" if norm == "end_norm" else norm.replace("norm", "conv")

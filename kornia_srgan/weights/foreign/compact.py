"""SRVGGNetCompact of Real-ESRGAN: convolutions and activations in one list `body.N`, one pixel shuffle."""

from __future__ import annotations

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.foreign.layout import Converted, Layout, State, check_rgb, shuffle_factor


def _convert(state: State) -> Converted:
    weights = {int(key.split(".")[1]): value for key, value in state.items() if key.endswith(".weight")}
    convolutions = sorted(number for number, value in weights.items() if value.ndim == 4)
    if convolutions != list(range(0, 2 * len(convolutions), 2)) or len(convolutions) < 2:
        raise WeightsError(f"its convolutions are body.{convolutions}, expected every second of the list")
    if any(number not in weights for number in range(1, convolutions[-1], 2)):
        raise WeightsError("its activations have no weights; only files with PReLU say what they are")
    first, last = weights[0], weights[convolutions[-1]]
    scale = shuffle_factor(last, 3)
    check_rgb(first, last[: last.shape[0] // scale**2])
    args = {"channels": first.shape[0], "num_convs": len(convolutions) - 2}
    return Converted("compact", dict(args), scale, dict(state))


LAYOUT = Layout(
    name="Real-ESRGAN SRVGGNetCompact",
    rules=((r"body\.(\d+)\.(weight|bias)", r"body.\1.\2"),),
    convert=_convert,
)

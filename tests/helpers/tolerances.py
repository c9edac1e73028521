"""How near two results must be: one table for all tests.

An entry is named by the precision that one of the two was computed or stored in, or, for float32, by what
was computed. Statistics of random draws, rounding to grey levels and figures of other people's tables are no
matter of precision: those tests state their own bounds.
"""

from typing import Any, Literal, NamedTuple

import pytest
import torch

Kind = Literal[
    "rounding",
    "elementwise",
    "layer",
    "logits",
    "loss",
    "network",
    "deep",
    "gradient",
    "network gradient",
    "trained",
    "trained otherwise",
    "trained in float16",
    "exported",
    "streamed",
    "another library's",
    "tiled transformer",
    "decibels",
    "metric on CUDA",
    "layer on CUDA",
    "grey level on CUDA",
    "drawn on CUDA",
    "network on CUDA",
    "gradient on CUDA",
    "training on CUDA",
]


class Tolerance(NamedTuple):
    """|found - expected| <= atol + rtol * |expected|."""

    atol: float
    rtol: float = 0.0


# For values of about 1, as images and the features of small random networks have.
TOLERANCES: dict[torch.dtype | Kind, Tolerance] = {
    torch.float64: Tolerance(1e-9),
    torch.float32: Tolerance(1e-4),
    torch.float16: Tolerance(1e-2),
    torch.bfloat16: Tolerance(0.05, 0.05),
    # float32, by what was computed
    "rounding": Tolerance(2e-7),  # stored once
    "elementwise": Tolerance(1e-6),  # a few operations on each value
    "layer": Tolerance(1e-5),  # sums of some hundred products, in another order
    "logits": Tolerance(1e-5, 1e-4),  # several layers without a last one that keeps values near 1
    "loss": Tolerance(0.0, 1e-5),  # one mean, of whatever size
    "network": Tolerance(1e-4),
    "deep": Tolerance(1e-3),  # many layers, or values far from 1
    "gradient": Tolerance(1e-7, 1e-4),  # of one loss or layer; small, and of very different sizes
    "network gradient": Tolerance(1e-3, 1e-4),
    "trained": Tolerance(2e-6, 1e-4),  # weights after a few steps, summed in another order
    "trained otherwise": Tolerance(2e-5, 1e-3),  # ... by other kernels
    "trained in float16": Tolerance(1e-6, 1e-3),  # ... with gradients that float16 rounded
    "exported": Tolerance(1e-5, 1e-5),  # the same network in another engine's kernels
    "streamed": Tolerance(2e-5, 1e-4),  # the same network strip by strip
    "another library's": Tolerance(2e-4),  # a network written twice, ours and theirs
    "tiled transformer": Tolerance(2e-3),  # attention that reaches a little further than the halo
    "decibels": Tolerance(1e-3),  # PSNR
    # float32, a CPU's result beside a GPU's, whose kernels sum in another order
    "metric on CUDA": Tolerance(1e-6, 1e-5),
    "layer on CUDA": Tolerance(1e-5, 1e-4),
    "grey level on CUDA": Tolerance(0.004, 1e-4),  # one rounding to a grey level may tip
    "drawn on CUDA": Tolerance(1.0, 1e-4),  # its own noise: shape and dtype agree, and it is an image
    "network on CUDA": Tolerance(1e-4, 1e-4),
    "gradient on CUDA": Tolerance(1e-4, 1e-3),
    "training on CUDA": Tolerance(2e-3, 1e-2),
}


def assert_near(found: Any, expected: Any, kind: torch.dtype | Kind, where: str = "") -> None:
    """What was found is as near to what is expected as the table asks; `where` says which of several it is.

    Of results of a lower precision the values are compared; else the dtype must agree too.
    """
    if isinstance(kind, torch.dtype):
        found, expected = found.float(), expected.float()
    torch.testing.assert_close(
        found, expected, **TOLERANCES[kind]._asdict(), msg=lambda told: f"{where or kind}: {told}"
    )


def is_near(found: torch.Tensor, expected: torch.Tensor, kind: torch.dtype | Kind) -> bool:
    """Whether it is that near, where the answer may be no."""
    return torch.allclose(found, expected, **TOLERANCES[kind]._asdict())


def about(expected: Any, kind: torch.dtype | Kind) -> Any:
    """To be compared by `==` with a number or a list of them."""
    tolerance = TOLERANCES[kind]
    return pytest.approx(expected, abs=tolerance.atol, rel=tolerance.rtol)

"""How near two results must be, by the precision that one of them was computed or stored in."""

import torch

# For values of about 1, as images and the features of small random networks have. A test of exact arithmetic
# asks for more and says so itself.
TOLERANCES = {
    torch.float32: {"atol": 1e-4, "rtol": 0.0},
    torch.float16: {"atol": 1e-2, "rtol": 0.0},
    torch.bfloat16: {"atol": 0.05, "rtol": 0.05},
}


def assert_near(found: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype) -> None:
    """What was made in `dtype` is as near to what is expected as that precision allows."""
    torch.testing.assert_close(found.float(), expected.float(), **TOLERANCES[dtype])

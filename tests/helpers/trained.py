"""Generators as training leaves them, and odd sizes to try them at."""

import torch
from torch import nn

SIZES = ((1, 1), (2, 1), (5, 3), (1, 8), (7, 13))


def trained(net: nn.Module, seed: int = 0) -> nn.Module:
    """The generator with statistics, slopes, biases and weights that are not those it starts with."""
    random = torch.Generator().manual_seed(seed)

    def uniform(tensor: torch.Tensor, low: float, high: float) -> None:
        tensor.copy_(torch.rand(tensor.shape, generator=random) * (high - low) + low)

    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor, low, high in (
                    (module.running_mean, -0.5, 0.5),
                    (module.running_var, 0.3, 3.0),
                    (module.weight, 0.3, 1.5),
                    (module.bias, -0.5, 0.5),
                ):
                    assert tensor is not None
                    uniform(tensor, low, high)
            elif isinstance(module, nn.PReLU):
                uniform(module.weight, -0.3, 0.6)
            elif isinstance(module, nn.Conv2d) and module.bias is not None:
                uniform(module.bias, -0.2, 0.2)
        last = [m for m in net.modules() if isinstance(m, nn.Conv2d)][-1]
        last.weight.mul_(5)  # it starts near zero; the image must depend on what comes before it
    return net

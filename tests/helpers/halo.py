"""The reach of a generator, measured."""

import torch
from torch import nn


def measured_halo(net: nn.Module, scale: int) -> int:
    """The reach of one LR pixel's outputs, by the gradient, on an image large enough for any small net."""
    align = getattr(net, "align", 1)
    size = -(-(2 * net.halo + 9) // align) * align
    net = net.double().eval()
    reach = 0
    for c in range(size // 2 // align * align, size // 2 // align * align + align):
        lr = torch.rand(1, 3, size, size, dtype=torch.double, requires_grad=True)
        out = net(lr)[..., c * scale : (c + 1) * scale, c * scale : (c + 1) * scale]
        (grad,) = torch.autograd.grad(out.pow(2).sum(), lr)
        rows = grad.abs().sum((0, 1, 3)).nonzero().flatten()
        columns = grad.abs().sum((0, 1, 2)).nonzero().flatten()
        reach = max(reach, *(int((index - c).abs().max()) for index in (rows, columns)))
    return reach

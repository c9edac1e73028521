"""CUDA graphs are refused where there is no CUDA; on a GPU they give the plain module's image."""

import pytest
import torch
from torch import nn

from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.errors import UserError
from kornia_srgan.inference.cuda_graph import CudaGraphed


def test_refuses_what_is_not_on_cuda():
    with pytest.raises(UserError, match="on 'cpu'"):
        CudaGraphed(EDSR(channels=4, num_blocks=1), (1, 3, 8, 8))
    with pytest.raises(UserError, match="no device"):
        CudaGraphed(nn.Identity(), (1, 3, 8, 8))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gives_the_same_image_for_every_shape():
    net = EDSR(channels=8, num_blocks=1).cuda().eval().requires_grad_(False)
    ready = CudaGraphed(net, (1, 3, 8, 8))
    assert ready.scale == net.scale
    for shape in ((1, 3, 8, 8), (1, 3, 5, 7), (1, 3, 8, 8)):
        lr = torch.rand(shape, device="cuda")
        torch.testing.assert_close(ready(lr), net(lr), atol=1e-4, rtol=0)

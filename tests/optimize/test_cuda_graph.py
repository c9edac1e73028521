"""CUDA graphs are refused where there is no CUDA; what they do there is in `test_on_cuda`."""

import pytest
from torch import nn

from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.errors import UserError
from kornia_srgan.optimize.cuda_graph import CudaGraphed


def test_refuses_what_is_not_on_cuda():
    with pytest.raises(UserError, match="on 'cpu'"):
        CudaGraphed(EDSR(channels=4, num_blocks=1), (1, 3, 8, 8))
    with pytest.raises(UserError, match="no device"):
        CudaGraphed(nn.Identity(), (1, 3, 8, 8))

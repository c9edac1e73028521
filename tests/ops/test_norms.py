import pytest
import torch
from torch import nn

from kornia_srgan.ops.norms import batch_norms, norm_momentum


@pytest.fixture
def net():
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=0.3), nn.BatchNorm2d(4))


def test_the_momentum_is_another_inside_and_its_own_again(net):
    before = net[1].running_mean.clone()
    with norm_momentum(net, 0.0):
        assert [norm.momentum for norm in batch_norms(net)] == [0.0, 0.0]
        net(torch.rand(2, 3, 4, 4))
    assert [norm.momentum for norm in batch_norms(net)] == [0.3, 0.1]
    assert torch.equal(net[1].running_mean, before)


def test_also_after_an_error(net):
    def fail():
        with norm_momentum(net, None):
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert [norm.momentum for norm in batch_norms(net)] == [0.3, 0.1]

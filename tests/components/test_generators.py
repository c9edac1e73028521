"""What every registered generator promises."""

import pytest
import torch

from kornia_srgan.contracts import Generator
from kornia_srgan.errors import UserError
from tests.helpers.halo import measured_halo
from tests.helpers.names import generator_names
from tests.helpers.small_generators import scales, small
from tests.helpers.tolerances import assert_near


@pytest.mark.parametrize("name", generator_names())
class TestEveryGenerator:
    def test_keeps_the_contract_at_odd_sizes_and_every_scale(self, name: str) -> None:
        assert 4 in scales(name)
        for scale in scales(name):
            net = small(name, scale=scale).eval()
            assert isinstance(net, Generator)
            assert net.scale == scale
            for height, width in ((1, 1), (5, 3), (1, 8), (7, 13)):
                with torch.no_grad():
                    sr = net(torch.rand(2, 3, height, width))
                assert sr.shape == (2, 3, scale * height, scale * width)
                assert torch.isfinite(sr).all()

    @pytest.mark.parametrize("scale", [2, 4])
    def test_every_parameter_gets_a_gradient(self, name: str, scale: int) -> None:
        torch.manual_seed(0)
        net = small(name, scale=scale).train()
        net(torch.rand(2, 3, 6, 6)).square().mean().backward()
        for key, parameter in net.named_parameters():
            assert parameter.grad is not None, key
            assert parameter.grad.abs().max() > 0, key

    def test_runs_in_bf16_and_under_autocast(self, name: str) -> None:
        torch.manual_seed(0)
        net = small(name, scale=4).eval()
        lr = torch.rand(1, 3, 6, 5)
        with torch.no_grad():
            plain = net(lr)
            with torch.autocast("cpu", torch.bfloat16):
                mixed = net(lr)
            half = net.to(torch.bfloat16)(lr.bfloat16())
        assert half.dtype == torch.bfloat16
        assert_near(mixed, plain, torch.bfloat16)
        assert_near(half, plain, torch.bfloat16)

    @pytest.mark.parametrize("scale", [2, 4])
    def test_halo_covers_what_an_output_pixel_depends_on(self, name: str, scale: int) -> None:
        torch.manual_seed(0)
        net = small(name, scale=scale)
        if not hasattr(net, "halo"):
            pytest.skip("has no halo; the tiler measures it")
        assert measured_halo(net, scale) == net.halo

    def test_starts_finite_and_in_a_sane_range(self, name: str) -> None:
        torch.manual_seed(0)
        net = small(name, scale=4).train()
        sr = net(torch.rand(4, 3, 12, 12))
        assert -1 < sr.mean() < 2
        assert sr.std() < 1

    def test_refuses_a_scale_of_zero(self, name: str) -> None:
        with pytest.raises(UserError, match="scale"):
            small(name, scale=0)

import pytest
import torch

from kornia_srgan.errors import UserError, WeightsError
from kornia_srgan.geometry import measure_halo
from kornia_srgan.inference.wrappers import ColorFix, SelfEnsemble, interpolate_networks
from tests.helpers.generators import Chain, Global, Nearest
from tests.helpers.tiled import upscale_tiled
from tests.helpers.tolerances import assert_near, is_near


class Tinted(Nearest):
    """Shifts colours and adds texture of its own."""

    def forward(self, lr):
        sr = super().forward(lr)
        texture = torch.ones_like(sr)
        texture[..., ::2, :] = -1
        return sr + 0.02 * texture + torch.tensor([0.1, -0.05, 0.0]).view(1, 3, 1, 1)


@pytest.mark.parametrize("wrap", [SelfEnsemble, ColorFix])
def test_tiled_equals_whole(wrap):
    generator = wrap(Chain(3)).eval()
    assert generator.halo >= measure_halo(generator)
    for size in ((1, 1), (5, 40), (50, 33)):
        image = torch.rand(1, 3, *size)
        with torch.inference_mode():
            whole = generator(image)
        assert whole.shape[-2:] == (2 * size[0], 2 * size[1])
        assert (upscale_tiled(generator, image, tile=16) - whole).abs().max() < 1e-5


@pytest.mark.parametrize("wrap", [SelfEnsemble, ColorFix])
def test_what_sees_everything_still_does(wrap):
    generator, image = wrap(Global()).eval(), torch.rand(1, 3, 20, 20)
    with torch.inference_mode():
        assert torch.equal(upscale_tiled(generator, image, tile=8), generator(image))


def test_ensemble_is_the_mean_of_eight_and_blind_to_turns():
    generator, image = SelfEnsemble(Chain(2)).eval(), torch.rand(2, 3, 6, 9)
    with torch.no_grad():
        result = generator(image)
        assert not is_near(generator.generator(image), result, "network")
        for change in (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.transpose(-1, -2)):
            assert_near(generator(change(image)), change(result), "elementwise")


def test_color_fix_takes_the_tint_away_and_leaves_texture():
    image = torch.full((1, 3, 32, 32), 0.5)
    tinted, fixed = Tinted(2)(image), ColorFix(Tinted(2))(image)
    assert (tinted.mean((2, 3)) - 0.5).abs().max() > 0.04
    assert (fixed.mean((2, 3)) - 0.5).abs().max() < 1e-6
    assert_near(fixed.std(), torch.tensor(0.02), "network")


def test_color_fix_leaves_a_faithful_result_alone():
    image = torch.rand(1, 3, 20, 20)
    torch.testing.assert_close(ColorFix(Nearest(2))(image), Nearest(2)(image))


def test_interpolation_lies_between():
    a, b, image = Chain(2, seed=0), Chain(2, seed=1), torch.rand(1, 3, 5, 5)
    torch.testing.assert_close(interpolate_networks(a, b, 0.0)(image), a(image))
    torch.testing.assert_close(interpolate_networks(a, b, 1.0)(image), b(image))
    weight = interpolate_networks(a, b, 0.25).tail.weight
    torch.testing.assert_close(weight, 0.75 * a.tail.weight + 0.25 * b.tail.weight)


def test_interpolation_refuses_other_architectures_and_weights():
    with pytest.raises(WeightsError, match="architecture"):
        interpolate_networks(Chain(2), Chain(3), 0.5)
    with pytest.raises(UserError, match=r"\[0, 1\]"):
        interpolate_networks(Chain(2), Chain(2), 1.5)

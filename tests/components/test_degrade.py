"""Degradations: kernels of known moments, noise of known statistics, resizing and JPEG beside others'."""

import io
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from kornia_srgan.components.transforms import blur_kernels, noise
from kornia_srgan.components.transforms.degrade import DegradationPipeline
from kornia_srgan.components.transforms.resample import KERNELS, resample
from kornia_srgan.components.transforms.resize import MatlabBicubic
from kornia_srgan.components.transforms.stage_blur import Blur, Sinc
from kornia_srgan.components.transforms.stage_noise import Jpeg, Noise
from kornia_srgan.components.transforms.stage_resize import RandomResize, Resize
from kornia_srgan.components.transforms.stages import EitherOrder
from kornia_srgan.contracts import Canvas
from kornia_srgan.errors import ArgumentError, UnknownComponentError
from kornia_srgan.registry.catalog import DEGRADATION_STAGES, DEGRADATIONS
from tests.helpers.degradations import ARGS, SEEDS, STAGE_ARGS, canvas_of
from tests.helpers.tolerances import about, assert_near, is_near


def smooth(count=4, side=32, seed=0):
    small = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(small, size=(side, side), mode="bicubic").clamp(0, 1)


def column(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture(params=DEGRADATIONS.names())
def degrade(request):
    return DEGRADATIONS.create(request.param, **ARGS.get(request.param, {}))


# --- whole degradations -----------------------------------------------------------------------------------


def test_keeps_the_contract(degrade):
    images = smooth()
    before = images.clone()
    out = degrade(images, SEEDS, (8, 8))
    assert out.shape == (4, 3, 8, 8)
    assert out.dtype == torch.float32
    assert out.min() >= 0
    assert out.max() <= 1
    torch.testing.assert_close((out * 255).round() / 255, out)
    assert torch.equal(images, before)
    assert (out - MatlabBicubic()(images, (8, 8))).abs().mean() > 0.003


def test_is_a_function_of_images_and_seeds(degrade):
    images = smooth()
    out = degrade(images, SEEDS, (8, 8))
    torch.rand(3)
    assert torch.equal(degrade(images, SEEDS, (8, 8)), out)
    assert not torch.equal(degrade(images, tuple(s + 9 for s in SEEDS), (8, 8)), out)


def test_an_image_does_not_depend_on_its_batch(degrade):
    images, seeds = smooth(12), tuple(range(40, 52))
    whole = degrade(images, seeds, (8, 8))
    alone = torch.cat([degrade(images[i : i + 3], seeds[i : i + 3], (8, 8)) for i in range(0, 12, 3)])
    turned = degrade(images.flip(0), seeds[::-1], (8, 8)).flip(0)
    for other in (alone, turned):
        # One grey level of one rounding may tip: the products of batches of different size may round apart.
        assert (other - whole).abs().max() <= 1.01 / 255
        assert (other != whole).float().mean() < 1e-2


def test_leaves_the_global_generator_alone(degrade):
    state = torch.get_rng_state()
    degrade(smooth(), SEEDS, (8, 8))
    assert torch.equal(torch.get_rng_state(), state)


def test_autocast_changes_nothing(degrade):
    out = degrade(smooth(), SEEDS, (8, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(degrade(smooth(), SEEDS, (8, 8)), out)


def test_works_on_tiny_and_oblong_images(degrade):
    assert degrade(torch.rand(1, 3, 8, 12), (1,), (2, 3)).shape == (1, 3, 2, 3)


def test_wants_one_seed_per_image(degrade):
    with pytest.raises(ArgumentError, match="one seed per image; got 1 for 4"):
        degrade(smooth(), (1,), (8, 8))


@pytest.mark.parametrize(("side", "scale"), [(256, 4), (64, 2), (64, 8)])
def test_real_esrgan_works_at_its_extremes(side, scale):
    degrade = DEGRADATIONS.create("real_esrgan", factor=(1.5, 1.5), second_factor=(0.3, 0.3))
    size = (side // scale, side // scale)
    assert degrade(smooth(1, side=side), (3,), size).shape == (1, 3, *size)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_long_shrink_keeps_the_mean_of_each_region(kernel):
    halves = torch.zeros(1, 3, 90, 90)
    halves[..., 45:] = 1
    out = resample(canvas_of(halves), [2], [2], [kernel], room=(2, 2)).pixels
    over = 0.125 if kernel == "antialiased_bilinear" else 0.0  # of its triangle lies beyond the middle
    torch.testing.assert_close(out[..., 0], torch.full((1, 3, 2), over), atol=0.1, rtol=0)
    torch.testing.assert_close(out[..., 1], torch.full((1, 3, 2), 1 - over), atol=0.1, rtol=0)


def test_equal_stages_draw_apart_from_each_other():
    noise_stage = {"name": "noise", "args": {"sigma": (10.0, 10.0), "gaussian": 1.0, "grey": 0.0}}
    flat = torch.full((1, 3, 64, 64), 0.5)
    twice = DegradationPipeline(stages=(noise_stage, noise_stage), quantize=False)(flat, (3,), (64, 64))
    assert (twice - flat).std().item() * 255 == pytest.approx(10 * 2**0.5, rel=0.05)


def test_messages_of_the_pipeline_say_where_and_what():
    with pytest.raises(UnknownComponentError, match=r"stages\.1.*unknown degradation_stage 'nois'.*'noise'"):
        DegradationPipeline(stages=("blur", "nois"))
    with pytest.raises(ArgumentError, match=r"pipeline\.stages\.0.*did you mean 'sigma'"):
        DegradationPipeline(stages=({"name": "blur", "args": {"sigmas": (1, 2)}},))
    with pytest.raises(ArgumentError, match="has the keys 'name' and 'args'"):
        DegradationPipeline(stages=({"nam": "blur"},))
    with pytest.raises(ArgumentError, match="stages is empty"):
        DegradationPipeline(stages=())
    with pytest.raises(ArgumentError, match="the stages end at 32x32, not at 8x8; add 'resize'"):
        DegradationPipeline(stages=("blur",))(smooth(), SEEDS, (8, 8))


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("blur", {"sigma": (3, 1)}, "blur: sigma must be two rising numbers"),
        ("blur", {"size": 8}, "blur: size must be odd"),
        ("blur", {"shares": (1.0, 1.0)}, "blur: shares needs a number for each of iso"),
        ("sinc", {"cutoff": (1, 4)}, "sinc: cutoff must be"),
        ("random_resize", {"kernels": ("cubic",)}, "random_resize.kernels: should be 'area', 'bilinear'"),
        ("random_resize", {"factor": (0.01, 1)}, "factor must be two rising numbers in"),
        ("noise", {"grey": 1.5}, "noise: grey is a probability"),
        ("jpeg", {"quality": (0, 101)}, "jpeg: quality must be"),
    ],
)
def test_arguments_out_of_range_are_named(name, args, said):
    with pytest.raises(ArgumentError, match=said):
        DEGRADATION_STAGES.create(name, **args)


@pytest.mark.parametrize("name", DEGRADATION_STAGES.names())
def test_a_stage_draws_for_each_image_by_its_own_seed(name):
    stage = DEGRADATION_STAGES.create(name, **STAGE_ARGS.get(name, {}))
    images = smooth(1).expand(6, -1, -1, -1)
    out = stage(canvas_of(images), (5, 5, 6, 7, 8, 9), (8, 8))
    assert_near(out.pixels[0], out.pixels[1], "elementwise")
    assert (out.pixels[0] - out.pixels[2:]).abs().amax(dim=(1, 2, 3)).max() > 1e-3


# --- blur kernels -----------------------------------------------------------------------------------------


def moments(kernel):
    axis = torch.arange(kernel.shape[-1], dtype=torch.float64) - kernel.shape[-1] // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return [float((kernel * m).sum()) for m in (x, y, x * x, y * y, x * y)]


def test_gaussian_kernels_have_the_moments_of_their_covariance():
    sigma_x, sigma_y, angle = column(1.5, 3.0, 3.0), column(1.5, 1.0, 1.0), column(0.3, 0.0, math.pi / 6)
    for i, kernel in enumerate(blur_kernels.gaussian_kernels(41, sigma_x, sigma_y, angle)):
        cos, sin = math.cos(angle[i]), math.sin(angle[i])
        turn = np.array([[cos, -sin], [sin, cos]])
        covariance = turn @ np.diag([float(sigma_x[i]) ** 2, float(sigma_y[i]) ** 2]) @ turn.T
        expected = [0, 0, covariance[0, 0], covariance[1, 1], covariance[0, 1]]
        assert float(kernel.sum()) == pytest.approx(1)
        assert moments(kernel) == about(expected, "elementwise")


def test_generalized_kernels_are_the_formulas():
    sigma, other, angle = column(2.0), column(1.0), column(0.0)
    for beta in (0.6, 2.5):
        bell = blur_kernels.generalized_gaussian_kernels(9, sigma, other, angle, column(beta))[0]
        flat = blur_kernels.plateau_kernels(9, sigma, other, angle, column(beta))[0]
        form = (3 / 2) ** 2 + 2**2  # three to the right and two down
        assert float(bell[6, 7] / bell[4, 4]) == pytest.approx(math.exp(-0.5 * form**beta))
        assert float(flat[6, 7] / flat[4, 4]) == pytest.approx(1 / (1 + form**beta))


def test_sinc_passes_low_frequencies_and_stops_high_ones():
    kernel = blur_kernels.sinc_kernels(101, column(math.pi / 2))[0]
    response = torch.fft.rfft2(torch.fft.ifftshift(kernel)).real
    along = response[0]  # frequencies 0 to pi
    assert float(along[0]) == pytest.approx(1)
    assert along[:20].sub(1).abs().max() < 0.1
    assert along[32:].abs().max() < 0.1
    assert float(kernel[50, 50]) > 0
    assert (kernel < 0).any()


def test_every_drawn_kernel_adds_up_to_one_and_fits_its_size():
    seeds = tuple(range(400))
    kernels = Blur().kernels(seeds)
    assert kernels.shape == (400, 21, 21)
    torch.testing.assert_close(kernels.sum(dim=(1, 2)), torch.ones(400, dtype=torch.float64))
    torch.testing.assert_close(kernels, kernels.flip((1, 2)))
    wide = Blur(sigma=(3, 3)).kernels(seeds)
    sizes = {int((k.abs().sum(0) > 0).sum()) for k in wide}
    assert sizes == {7, 9, 11, 13, 15, 17, 19, 21}
    with_sinc = (kernels < -1e-6).any(2).any(1).float().mean()
    assert 0.05 < with_sinc < 0.16
    assert not (Blur(sinc=0).kernels(seeds) < 0).any()


def test_blur_shares_choose_the_family():
    iso = Blur(shares=(1.0, 0.0, 0.0, 0.0, 0.0, 0.0), sinc=0).kernels(SEEDS)
    torch.testing.assert_close(iso, iso.transpose(1, 2))
    aniso = Blur(shares=(0.0, 1.0, 0.0, 0.0, 0.0, 0.0), sinc=0, sigma=(0.5, 5)).kernels(SEEDS)
    assert (aniso - aniso.transpose(1, 2)).abs().max() > 1e-3


def test_blur_is_the_convolution_with_its_kernel():
    images = smooth()
    out = Blur(size=7)(canvas_of(images), SEEDS, (8, 8)).pixels
    kernels = Blur(size=7).kernels(SEEDS).float()
    padded = F.pad(images, (3, 3, 3, 3), mode="reflect")
    for i in range(4):
        expected = F.conv2d(padded[i][:, None], kernels[i][None, None])[:, 0]
        assert_near(out[i], expected, "layer")


def test_filters_keep_flat_images_and_spare_the_unchosen():
    flat = torch.full((4, 3, 32, 32), 0.3)
    for stage in (Blur(), Sinc(p=1)):
        assert_near(stage(canvas_of(flat), SEEDS, (8, 8)).pixels, flat, "layer")
    images = smooth(200, side=16)
    out = Blur(p=0.3, sigma=(1, 2))(canvas_of(images), tuple(range(200)), (8, 8)).pixels
    same = (out == images).flatten(1).all(1).float().mean()
    assert 0.6 < same < 0.8


# --- resizing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["area", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(9, 11), (40, 28), (24, 20), (3, 50)])
def test_resample_equals_interpolate(kernel, size):
    images = torch.rand(2, 3, 24, 20)
    out = resample(canvas_of(images), [size[0]] * 2, [size[1]] * 2, [kernel] * 2, room=(60, 60))
    expected = F.interpolate(images, size=size, mode=kernel)
    assert_near(out.pixels[..., : size[0], : size[1]], expected, "layer")
    assert_near(out.pixels[..., -1, -1], expected[..., -1, -1], "layer")


@pytest.mark.parametrize("size", [(6, 5), (40, 28)])
def test_resample_antialiased_equals_matlab(size):
    images = smooth(2, side=24) * 0.8 + 0.1
    out = resample(canvas_of(images), [size[0]] * 2, [size[1]] * 2, ["antialiased"] * 2, room=size)
    expected = MatlabBicubic(quantize=False)(images, size)
    assert_near(out.pixels, expected, "layer")


def test_resample_gives_each_image_its_own_size_and_reads_nothing_beyond_it():
    images = torch.rand(3, 3, 16, 16)
    first = resample(canvas_of(images), [8, 12, 20], [10, 16, 6], ["bilinear"] * 3, room=(24, 24))
    spoilt = first.pixels.clone()
    for i, (h, w) in enumerate(zip(first.heights, first.widths, strict=True)):
        spoilt[i, :, h:], spoilt[i, :, :, w:] = 9.0, 9.0
    for kernel in KERNELS:
        small = resample(first, [7] * 3, [5] * 3, [kernel] * 3, room=(7, 5))
        again = resample(
            Canvas(spoilt, first.heights, first.widths), [7] * 3, [5] * 3, [kernel] * 3, room=(7, 5)
        )
        torch.testing.assert_close(small.pixels, again.pixels)
        own = first.pixels[1:2, :, :12, :16]
        alone = resample(canvas_of(own), [7], [5], [kernel], room=(7, 5))
        assert_near(small.pixels[1:2], alone.pixels, "layer")


def test_resample_refuses_what_its_kernels_cannot_reach():
    with pytest.raises(ArgumentError, match="cannot resize from 99 to 2 pixels; the least is 1/48"):
        resample(canvas_of(torch.rand(1, 3, 99, 99)), [2], [2], ["area"], room=(2, 2))


def test_random_resize_draws_factors_in_its_range():
    count = 300
    canvas = canvas_of(torch.rand(1, 3, 40, 40).expand(count, -1, -1, -1))
    out = RandomResize(factor=(0.5, 1.5), shares=(0.3, 0.5, 0.2))(canvas, tuple(range(count)), (10, 10))
    heights = np.array(out.heights)
    assert out.pixels.shape[-2:] == (60, 60)
    assert heights.min() >= 20
    assert heights.max() <= 60
    assert 0.2 < (heights > 40).mean() < 0.4
    assert 0.4 < (heights < 40).mean() < 0.6
    beside = RandomResize(factor=(0.5, 1.5), of="output")(canvas, tuple(range(count)), (10, 10))
    assert set(beside.heights) <= set(range(5, 16))
    assert beside.pixels.shape[-2:] == (15, 15)


# --- noise and JPEG ---------------------------------------------------------------------------------------


def test_gaussian_noise_has_its_standard_deviation():
    image = torch.full((3, 200, 200), 0.5)
    added = noise.add_gaussian_noise(image, 0.1, seed=3, grey=False) - image
    assert added.std().item() == pytest.approx(0.1, rel=0.02)
    assert added.mean().item() == pytest.approx(0, abs=1e-3)
    assert abs(torch.corrcoef(added.flatten(1))[0, 1]) < 0.02
    same = noise.add_gaussian_noise(image, 0.1, seed=3, grey=True) - image
    torch.testing.assert_close(same[0], same[2])


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_poisson_noise_grows_with_the_light(level):
    image = torch.full((3, 300, 300), round(level * 255) / 255)
    for grey in (False, True):
        added = noise.add_poisson_noise(image, 2.0, seed=3, grey=grey) - image
        assert added.var().item() == pytest.approx(4 * level / 256, rel=0.05)
        assert added.mean().item() == pytest.approx(0, abs=2e-3)
    torch.testing.assert_close(added[0], added[1])


def test_noise_draws_kinds_in_the_asked_shares():
    count = 300
    flat = canvas_of(torch.zeros(count, 3, 8, 8))
    out = Noise(gaussian=0.7)(flat, tuple(range(count)), (8, 8)).pixels
    gaussian = (out > 0).flatten(1).any(1).float().mean()  # Poisson noise of black is nothing
    assert 0.6 < gaussian < 0.8
    grey = Noise(gaussian=1, grey=0.4)(canvas_of(flat.pixels + 0.5), tuple(range(count)), (8, 8)).pixels
    equal = (grey[:, 0] == grey[:, 2]).flatten(1).all(1).float().mean()
    assert 0.3 < equal < 0.5


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_jpeg_is_close_to_a_real_encoder(quality):
    image = (
        smooth(1, side=64, seed=4)
        + torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 0.03
    )
    image = (image.clamp(0, 1) * 255).round() / 255
    ours = Jpeg(quality=(quality, quality))(canvas_of(image), (1,), (8, 8)).pixels
    buffer = io.BytesIO()
    picture = (image[0] * 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    real = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1)[None] / 255
    assert (ours - real).square().mean() < 0.4 * (real - image).square().mean()


def test_jpeg_loses_more_at_lower_quality():
    image = torch.rand(1, 3, 32, 32)
    losses = [
        (Jpeg(quality=(q, q))(canvas_of(image), (1,), (8, 8)).pixels - image).square().mean().item()
        for q in (95, 60, 30)
    ]
    assert losses == sorted(losses)
    assert losses[0] > 0


# --- order ------------------------------------------------------------------------------------------------


def test_either_order_sends_each_image_its_own_way():
    images = smooth(8, side=32)
    seeds = tuple(range(8))
    flat = {"name": "noise", "args": {"sigma": (20.0, 20.0), "gaussian": 1.0, "grey": 0.0}}
    stage = EitherOrder(first=("resize",), second=(flat,), p=0.5)
    out = stage(canvas_of(images), seeds, (8, 8)).pixels
    ahead = EitherOrder(first=("resize",), second=(flat,), p=1)(canvas_of(images), seeds, (8, 8)).pixels
    behind = EitherOrder(first=("resize",), second=(flat,), p=0)(canvas_of(images), seeds, (8, 8)).pixels
    is_ahead = [is_near(o, a, "elementwise") for o, a in zip(out, ahead, strict=True)]
    is_behind = [is_near(o, b, "elementwise") for o, b in zip(out, behind, strict=True)]
    assert all(a != b for a, b in zip(is_ahead, is_behind, strict=True))
    assert 0 < sum(is_ahead) < 8


def test_either_order_refuses_results_of_different_size():
    stage = EitherOrder(first=("resize",), second=("random_resize",))
    with pytest.raises(ArgumentError, match="both orders must end at one size"):
        stage(canvas_of(smooth(8)), tuple(range(8)), (8, 8))


def test_resize_ends_at_the_size():
    out = Resize()(canvas_of(smooth()), SEEDS, (8, 6))
    assert out.pixels.shape == (4, 3, 8, 6)
    assert out.heights == (8,) * 4
    assert out.widths == (6,) * 4

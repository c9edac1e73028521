"""Degradation stages by hand: sharpening, camera noise, WebP, JPEG, shares, presets; and flat patches."""

import io
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from kornia.enhance import jpeg_codec_differentiable
from PIL import Image

from kornia_srgan.components.transforms.jpeg_codec import jpeg_codec, quantization_tables
from kornia_srgan.components.transforms.patches import FlatPatches
from kornia_srgan.components.transforms.resample import resample
from kornia_srgan.components.transforms.stage_blur import Sharpen
from kornia_srgan.components.transforms.stage_camera import CameraNoise
from kornia_srgan.components.transforms.stage_noise import Jpeg, Noise
from kornia_srgan.components.transforms.stage_resize import RandomResize
from kornia_srgan.components.transforms.stage_webp import WebP
from kornia_srgan.contracts import Canvas
from kornia_srgan.errors import ArgumentError, MissingExtraError
from kornia_srgan.registry.catalog import DEGRADATION_STAGES, DEGRADATIONS
from tests.helpers.tolerances import assert_near, is_near

MANY = tuple(range(400))


def canvas_of(images):
    count, _, height, width = images.shape
    return Canvas(images, (height,) * count, (width,) * count)


def flat(level, count=1, side=8):
    return torch.full((count, 3, side, side), level)


def scene(side=96, seed=0):
    """Whole grey levels of smooth colours with fine detail on them, as a photograph has both."""
    generator = torch.Generator().manual_seed(seed)
    image = F.interpolate(torch.rand(1, 3, 9, 9, generator=generator), size=(side, side), mode="bicubic")
    detail = F.avg_pool2d(torch.randn(1, 3, side + 2, side + 2, generator=generator), 3, 1)
    return ((image + 0.1 * detail).clamp(0, 1) * 255).round() / 255


def by_pillow(image, form, **options):
    """`(1, 3, H, W)` in whole grey levels, written and read again."""
    file = io.BytesIO()
    Image.fromarray((image[0] * 255).round().byte().permute(1, 2, 0).numpy()).save(file, form, **options)
    with Image.open(file) as found:
        return torch.from_numpy(np.array(found.convert("RGB"))).permute(2, 0, 1)[None] / 255


def levels_apart(a, b):
    return float((a - b).abs().mean() * 255)


# --- every stage takes p ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(DEGRADATION_STAGES.names()) - {"resize", "either_order"}))
def test_p_is_the_share_of_images_that_change(name):
    """And those that change become what they become with p = 1."""
    images = scene(16).expand(len(MANY), -1, -1, -1).contiguous()
    fixed = {"random_resize": {"factor": (0.5, 0.5), "shares": (0.0, 1.0, 0.0)}}.get(name, {})
    results = [
        DEGRADATION_STAGES.create(name, p=p, **fixed)(canvas_of(images), MANY, (8, 8)) for p in (0, 0.3, 1)
    ]
    assert torch.equal(results[0].pixels[..., :16, :16], images)
    some, whole = results[1].pixels, results[2].pixels
    changed = (some != results[0].pixels).flatten(1).any(1)
    assert 0.2 < changed.float().mean() < 0.4
    assert_near(some[changed], whole[changed], "elementwise")
    with pytest.raises(ArgumentError, match=f"{name}: p is a probability"):
        DEGRADATION_STAGES.create(name, p=1.5)


def test_noise_of_the_chosen_is_the_noise_of_p_1():
    out = Noise(p=0.5, gaussian=1, sigma=(10, 10))(canvas_of(flat(0.5, 400)), MANY, (8, 8)).pixels
    noisy = (out != 0.5).flatten(1).any(1)
    assert (out[noisy] - 0.5).std().item() * 255 == pytest.approx(10, rel=0.03)
    assert 0.43 < noisy.float().mean() < 0.57


# --- sharpening -------------------------------------------------------------------------------------------


def test_sharpening_makes_the_halos_of_an_unsharp_mask():
    """A step from 0.4 to 0.6 and a kernel of 3: one pixel beside it goes down, one goes up."""
    step = flat(0.4)
    step[..., 4:] = 0.6
    out = Sharpen(amount=(1.5, 1.5), sigma=(0.8, 0.8), size=3)(canvas_of(step), (1,), (8, 8)).pixels
    side = math.exp(-1 / (2 * 0.8**2))
    halo = 1.5 * 0.2 * side / (1 + 2 * side)
    expected = torch.tensor([0.4, 0.4, 0.4, 0.4 - halo, 0.6 + halo, 0.6, 0.6, 0.6])
    assert_near(out, expected.expand_as(out), "elementwise")


def test_sharpening_keeps_flat_images_and_the_range():
    assert Sharpen(amount=(2, 2))(canvas_of(flat(0.3)), (1,), (8, 8)).pixels.sub(0.3).abs().max() < 1e-6
    out = Sharpen(amount=(5, 5))(canvas_of(scene(32)), (1,), (8, 8)).pixels
    assert out.min() == 0
    assert out.max() == 1
    with pytest.raises(ArgumentError, match="sharpen: size must be odd"):
        Sharpen(size=4)


# --- camera noise -----------------------------------------------------------------------------------------


def camera(level, *, read=0.0, shot=0.0, grain=0.0, chroma=0.0, factor=1.5, side=256):
    stage = CameraNoise(
        read=(read, read),
        shot=(shot, shot),
        grain=(grain, grain),
        chroma=(chroma, chroma),
        chroma_grain=factor,
    )
    return (stage(canvas_of(flat(level, 1, side)), (3,), (8, 8)).pixels - level)[0] * 255


@pytest.mark.parametrize("level", [0.25, 0.64])
@pytest.mark.parametrize("grain", [0.0, 1.0])
def test_camera_noise_has_the_variance_of_poisson_and_gaussian(level, grain):
    """Whatever its grain: read^2 + shot^2 * level."""
    noise = camera(level, read=3.0, shot=8.0, grain=grain)
    assert noise.std().item() == pytest.approx(math.sqrt(9 + 64 * level), rel=0.03)
    assert noise.mean().item() == pytest.approx(0, abs=0.15)
    assert_near(noise[0], noise[2], "network")  # without chroma all channels get the same


@pytest.mark.parametrize("grain", [0.6, 1.2])
def test_camera_noise_has_grains(grain):
    """White noise under a Gaussian of sigma s: neighbours correlate by the Gaussian's own correlation."""
    noise = camera(0.5, read=5.0, grain=grain)[0]
    taps = np.exp(-(np.arange(-7, 8) ** 2) / (2 * grain**2))
    for lag in (1, 2):
        expected = (taps[lag:] * taps[:-lag]).sum() / (taps**2).sum()
        found = (noise[:, lag:] * noise[:, :-lag]).mean() / noise.square().mean()
        assert found.item() == pytest.approx(expected, abs=0.03)
    white = camera(0.5, read=5.0)[0]
    assert abs((white[:, 1:] * white[:, :-1]).mean() / white.square().mean()) < 0.02


def test_camera_noise_of_colour_moves_no_luma_and_has_wider_grains():
    both, grey = camera(0.5, read=5.0, grain=0.5, chroma=0.8, factor=3.0), camera(0.5, read=5.0, grain=0.5)
    luma = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    torch.testing.assert_close((both * luma).sum(0), grey[0], atol=0.02, rtol=0)
    cr, cb = (both[0] - grey[0]) / 1.402, (both[2] - grey[0]) / 1.772
    for chroma in (cr, cb):
        assert chroma.std().item() == pytest.approx(0.8 * 5, rel=0.05)
        assert (chroma[:, 1:] * chroma[:, :-1]).mean() / chroma.square().mean() == pytest.approx(
            math.exp(-1 / (4 * 1.5**2)), abs=0.04
        )
    assert abs(torch.corrcoef(torch.stack([cr.flatten(), cb.flatten()]))[0, 1]) < 0.05


# --- WebP and JPEG ----------------------------------------------------------------------------------------


def test_webp_is_pillows():
    image = scene(48, seed=2)
    small = Canvas(image.repeat(2, 1, 1, 1), (48, 30), (48, 21))
    out = WebP(quality=(40, 40))(small, (1, 2), (8, 8)).pixels
    torch.testing.assert_close(out[:1], by_pillow(image, "WEBP", quality=40))
    own = by_pillow(image[..., :30, :21], "WEBP", quality=40)
    torch.testing.assert_close(out[1:, :, :30, :21], own)
    torch.testing.assert_close(out[1, :, 29:, :21], own[0, :, -1:].expand(-1, 19, -1))  # the border repeated
    assert levels_apart(out[:1], image) > 1


def test_webp_that_pillow_lacks_is_said(monkeypatch):
    monkeypatch.setattr("PIL.features.check", lambda name: False)
    with pytest.raises(MissingExtraError, match="built without WebP"):
        WebP()


@pytest.mark.parametrize("quality", [1, 30, 50, 75, 95, 100])
def test_quantization_tables_are_libjpegs(quality):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
    for ours, theirs in zip(
        quantization_tables([quality])[0], Image.open(file).quantization.values(), strict=True
    ):
        assert ours.flatten().tolist() == list(theirs)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("quality", [20, 50, 75, 95])
def test_jpeg_is_pillows(quality, subsampling):
    """Near enough to tell the subsampling, and nearer than Kornia's soft codec; sizes of no whole block."""
    image = scene(96, seed=quality)[..., :93, :90]
    theirs = by_pillow(image, "JPEG", quality=quality, subsampling=subsampling)
    halved = subsampling == "4:2:0"
    ours = jpeg_codec(image, [quality], [halved])
    assert levels_apart(ours, theirs) < 0.7
    assert levels_apart(ours, theirs) < 0.3 * levels_apart(theirs, image) + 0.1
    assert levels_apart(jpeg_codec(image, [quality], [not halved]), theirs) > 1.5 * levels_apart(ours, theirs)
    if halved:
        soft = jpeg_codec_differentiable(image, torch.tensor([float(quality)]))
        assert levels_apart(soft, theirs) > 1.5 * levels_apart(ours, theirs)


def test_jpeg_halves_the_resolution_of_colour_alone():
    """Columns of two colours of one luma: gone with 4:2:0, there with 4:4:4; columns of grey stay."""
    stripes = flat(0.5, 1, 32)
    stripes[:, 0, :, ::2] += 0.2
    stripes[:, 1, :, ::2] -= 0.2 * 0.299 / 0.587
    for halved, contrast in ((True, (0, 4)), (False, (40, 62))):
        out = jpeg_codec(stripes, [95], [halved])[0, 0] * 255
        assert contrast[0] <= abs(float(out[:, ::2].mean() - out[:, 1::2].mean())) <= contrast[1]
    grey = flat(0.4, 1, 32)
    grey[..., ::2] = 0.6
    out = jpeg_codec(grey, [95], [True])
    assert levels_apart(out, grey) < 2


def test_jpeg_draws_subsampling_by_its_share():
    images = scene(16).expand(len(MANY), -1, -1, -1)
    out = Jpeg(quality=(50, 50), subsample=0.3)(canvas_of(images), MANY, (8, 8)).pixels
    halved = jpeg_codec(images[:1], [50], [True])
    same = (out - halved).abs().flatten(1).amax(1) < 1e-6
    assert 0.2 < same.float().mean() < 0.4
    full = jpeg_codec(images[:1], [50], [False])
    torch.testing.assert_close(out[~same], full.expand_as(out[~same]))


def test_jpeg_shift_begins_the_grid_anywhere():
    """Each result is that of the image moved by some offset below 16, the border repeated: found by trial."""
    image = scene(24, seed=5)
    seeds = tuple(range(24))
    out = Jpeg(quality=(30, 30), shift=True)(canvas_of(image.expand(24, -1, -1, -1)), seeds, (8, 8)).pixels
    wide = F.pad(image, (15, 15, 15, 15), mode="replicate")
    moved = {}
    for y in range(16):
        for x in range(16):
            cut = wide[..., 15 - y :, 15 - x :]
            moved[y, x] = jpeg_codec(cut, [30], [True])[..., y : y + 24, x : x + 24]
    found = [
        [at for at, one in moved.items() if is_near(one[0], image_out, "elementwise")] for image_out in out
    ]
    assert all(len(at) == 1 for at in found)
    assert len({at[0] for at in found}) > 12
    again = Jpeg(quality=(30, 30), shift=True)(canvas_of(image), seeds[7:8], (8, 8)).pixels
    torch.testing.assert_close(again, out[7:8])


# --- resizing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(12, 10), (9, 15), (80, 70)])
def test_antialiased_bilinear_is_torchs_within(size):
    """At the border torch forgets what lies outside, this repeats the border."""
    images = torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(0))
    out = resample(canvas_of(images), [size[0]] * 2, [size[1]] * 2, ["antialiased_bilinear"] * 2, room=size)
    expected = F.interpolate(images, size=size, mode="bilinear", antialias=True)
    assert_near(out.pixels[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1], "layer")


@pytest.mark.parametrize("size", [(12, 10), (16, 20), (96, 80)])
def test_lanczos_is_pillows_within(size):
    plane = torch.rand(48, 40, generator=torch.Generator().manual_seed(0))
    picture = Image.fromarray(plane.numpy(), mode="F").resize(size[::-1], Image.Resampling.LANCZOS)
    images = plane.expand(1, 3, -1, -1)
    out = resample(canvas_of(images), [size[0]], [size[1]], ["lanczos"], room=size).pixels[0, 1]
    edge = 7 if size[0] > 48 else 3
    inside = (slice(edge, -edge),) * 2
    assert_near(out[inside], torch.from_numpy(np.array(picture))[inside], "layer")


def test_random_resize_without_a_draw_stays():
    canvas = canvas_of(torch.rand(400, 3, 16, 16))
    stage = {"factor": (0.5, 0.5), "shares": (0.0, 1.0, 0.0)}
    heights = np.array(RandomResize(p=0.25, **stage)(canvas, MANY, (8, 8)).heights)
    assert heights.min() == 8
    assert 0.16 < (heights < 16).mean() < 0.32
    assert set(RandomResize(p=0.0, of="output", **stage)(canvas, MANY, (6, 6)).heights) == {6}


# --- presets ----------------------------------------------------------------------------------------------


def test_presets_leave_as_many_images_alone_as_they_say_and_grow_harder():
    images = scene(48).expand(200, -1, -1, -1)
    seeds, losses = tuple(range(200)), []
    plain = {
        kernel: resample(canvas_of(images[:1]), [12], [12], [kernel], room=(12, 12)).pixels
        for kernel in ("antialiased", "antialiased_bilinear", "lanczos", "area")
    }
    plain = {kernel: (pixels.clamp(0, 1) * 255).round() / 255 for kernel, pixels in plain.items()}
    for name, alone in (("mild", 0.22), ("photo", 0.10), ("heavy", 0.0)):
        out = DEGRADATIONS.create(name)(images, seeds, (12, 12))
        nearest = torch.stack([(out - p).abs().flatten(1).amax(1) for p in plain.values()]).amin(0)
        assert abs(float((nearest < 1e-4).float().mean()) - alone) < 0.06
        losses.append(float((out - plain["antialiased"]).square().mean()))
    assert losses[0] < losses[1] < losses[2]


# --- flat patches -----------------------------------------------------------------------------------------


def test_flat_patches_lay_one_rectangle_of_one_colour():
    images = torch.rand(400, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    out = FlatPatches(p=0.5, size=(0.25, 0.5))(images, MANY)
    laid = 0
    for before, after in zip(images, out, strict=True):
        where = (before != after).any(0)
        if not where.any():
            continue
        laid += 1
        rows, columns = np.flatnonzero(where.any(1)), np.flatnonzero(where.any(0))
        assert 4 <= len(rows) <= 8
        assert 4 <= len(columns) <= 8
        assert where[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        patch = after[:, where]
        assert torch.equal(patch, patch[:, :1].expand_as(patch))
    assert 160 < laid < 240
    assert torch.equal(FlatPatches(p=0.0)(images, MANY), images)
    assert torch.equal(FlatPatches(p=0.5, size=(0.25, 0.5))(images[7:9], MANY[7:9]), out[7:9])


def test_flat_patches_are_white_black_saturated_or_anything_in_their_shares():
    colors = FlatPatches(p=1.0, size=(1.0, 1.0))(torch.rand(4000, 3, 2, 2), tuple(range(4000)))
    assert torch.equal(colors, colors[..., :1, :1].expand_as(colors))
    colors = colors[..., 0, 0]
    corner = ((colors == 0) | (colors == 1)).all(1)
    # 3 in 10 are white, 1 in 10 black, 3 in 10 one of eight corners, two of which are white and black too
    assert (colors == 1).all(1).float().mean().item() == pytest.approx(0.3 + 0.3 / 8, abs=0.025)
    assert (colors == 0).all(1).float().mean().item() == pytest.approx(0.1 + 0.3 / 8, abs=0.02)
    assert corner.float().mean().item() == pytest.approx(0.7, abs=0.025)
    assert colors[~corner].mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"p": 2}, "p must lie in"),
        ({"size": (0.0, 1.0)}, "two rising shares"),
        ({"size": (0.9, 0.5)}, "rising"),
    ],
)
def test_flat_patches_name_wrong_arguments(arguments, said):
    with pytest.raises(ArgumentError, match=said):
        FlatPatches(**arguments)

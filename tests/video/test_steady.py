import numpy as np
import pytest
import torch

from kornia_srgan.video.colour import in_8_bits
from kornia_srgan.video.motion import mean_around, motion, shifted
from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.run import enlarge_clip
from kornia_srgan.video.steady import Steadier, warping_error
from tests.helpers.clips import Twice, decoded, make_clip


def texture(height, width, seed=0):
    """Soft random texture, `(H, W, 3)` in [0, 1]."""
    noise = torch.rand(1, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(seed))
    large = torch.nn.functional.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)
    return large.clamp(0, 1)[0].movedim(0, -1).numpy()


def seen(pixels, left, top):
    return (pixels[top : top + 48, left : left + 64] * 255).round().astype(np.uint8)


def pan(count, step):
    """A window that moves over a texture: frames without noise."""
    whole = texture(64, 96)
    return [seen(whole, step * n, n) for n in range(count)]


def test_motion_finds_a_shift():
    whole = torch.from_numpy(texture(72, 104)).movedim(-1, 0)[None].mean(1, keepdim=True)
    now, before = whole[..., 10:58, 10:74], whole[..., 8:56, 13:77]
    flow = motion(now, before)[0, :, 8:-8, 8:-8]
    assert torch.allclose(flow[0].median(), torch.tensor(-3.0), atol=0.1)
    assert torch.allclose(flow[1].median(), torch.tensor(2.0), atol=0.1)
    inner = (shifted(before, motion(now, before)) - now)[..., 8:-8, 8:-8].abs().mean()
    assert inner < 0.1 * (before - now)[..., 8:-8, 8:-8].abs().mean()


def noisy(frames, rng, sigma):
    return [np.clip(f + rng.normal(0, sigma, f.shape), 0, 255).round().astype(np.uint8) for f in frames]


def test_flicker_is_lowered_and_the_picture_comes_nearer_to_the_truth():
    """A pan with noise in the small frames and other noise in the results, as a GAN's details are."""
    rng = np.random.default_rng(0)
    for step in (0, 1, 2):
        clean = pan(8, step)
        small = noisy(clean, rng, 2)
        truth = [f.repeat(2, 0).repeat(2, 1) for f in clean]
        results = noisy(truth, rng, 6)
        steadier = Steadier(1.0)
        steady = [steadier(s, r) for s, r in zip(small, results, strict=True)]
        assert steady[0].dtype == np.uint16
        plain = warping_error(results, clean)
        calm = warping_error([(s // 257).astype(np.uint8) for s in steady], clean)
        assert calm < 0.6 * plain, (step, calm, plain)
        off = [np.abs(r.astype(float) - t).mean() for r, t in zip(results[4:], truth[4:], strict=True)]
        near = [np.abs(s / 257 - t).mean() for s, t in zip(steady[4:], truth[4:], strict=True)]
        assert np.mean(near) < np.mean(off)


def test_a_cut_leaves_the_new_picture_alone():
    first, second = seen(texture(64, 96, 1), 0, 0), seen(texture(64, 96, 2), 0, 0)
    steadier = Steadier(1.0)
    steadier(first, first)
    assert np.abs(steadier(second, second) / 257 - second).mean() < 1.0


def test_flicker_of_a_perfect_pan_is_small():
    clean = pan(4, 2)
    rng = np.random.default_rng(0)
    assert warping_error(clean, clean) < 2.5
    assert warping_error(noisy(clean, rng, 10), clean) > 2 * warping_error(clean, clean)


def test_a_whole_clip_is_steadied(tmp_path):
    source = make_clip(
        tmp_path / "a.mkv", frames=pan(4, 1), pts=[0, 512, 1024, 1536], codec="ffv1", options={}
    )

    class Restless(Twice):
        def bands(self, pixels):
            rng = np.random.default_rng(len(self.seen))
            for band in super().bands(pixels):
                yield np.clip(band + rng.normal(0, 8, band.shape), 0, 255).astype(np.uint8)

    clean = pan(4, 1)
    figures = []
    for strength in (0.0, 1.0):
        target = tmp_path / f"{strength}.mkv"
        enlarge_clip(
            source, target, Restless(), VideoOptions(steady=strength, codec="ffv1", pixel_format="yuv444p")
        )
        figures.append(warping_error(decoded(target), clean))
    assert figures[1] < 0.75 * figures[0]


@pytest.mark.parametrize("side", [3, 5, 9])
def test_means_are_those_of_pooling(side):
    values = torch.rand(2, 3, 11, 17, generator=torch.Generator().manual_seed(0))
    pooled = torch.nn.functional.avg_pool2d(
        values, side, stride=1, padding=side // 2, count_include_pad=False
    )
    torch.testing.assert_close(mean_around(values, side), pooled)


def test_16_bits_in_8_are_rounded():
    every = np.arange(65536, dtype=np.uint16)
    assert np.array_equal(in_8_bits(every), np.rint(every / 257).astype(np.uint8))

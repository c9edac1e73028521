"""Pixels over a background are rounded to the nearest value, as whole numbers say."""

import numpy as np
import pytest

from kornia_srgan.photos.fit import lay_over

BACKGROUND = (255, 10, 128)


def every_mixture(dtype):
    """Colours by opacities, `(256, 256, 4)`, over the whole range of a dtype."""
    values = np.linspace(0, np.iinfo(dtype).max, 256).astype(dtype)
    colour, alpha = np.meshgrid(values, values, indexing="ij")
    return np.stack([colour, colour, colour, alpha], axis=-1)


def test_eight_bits_over_a_colour_are_the_nearest_value():
    band = every_mixture(np.uint8)
    colour, alpha = band[..., :3].astype(int), band[..., 3:].astype(int)
    mixed = colour * alpha + np.array(BACKGROUND) * (255 - alpha)  # 255 times the value
    nearest = (2 * mixed + 255) // 510
    assert np.array_equal(lay_over(band, BACKGROUND), nearest)


def test_sixteen_bits_are_not_darkened():
    band = every_mixture(np.uint16)
    colour, alpha = band[..., :3].astype(float), band[..., 3:].astype(float) / 65535
    exact = colour * alpha + np.array(BACKGROUND) * 257 * (1 - alpha)
    gap = lay_over(band, BACKGROUND) - exact
    assert np.abs(gap).max() < 0.52  # float32 has 24 bits
    assert abs(gap.mean()) < 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_floating_point_is_not_rounded(dtype):
    band = np.array([[[0.25, 0.5, 0.75, 0.5]]], dtype)
    expected = np.array([0.625, 0.25 + 0.5 * 10 / 255, 0.375 + 0.5 * 128 / 255])
    result = lay_over(band, BACKGROUND)
    assert result.dtype == dtype
    np.testing.assert_allclose(result[0, 0], expected, rtol=float(np.finfo(dtype).eps))

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.components.transforms.resize import bicubic_matrix
from kornia_srgan.errors import UserError
from kornia_srgan.inference.band_resampling import cubic_taps, resample_bands
from kornia_srgan.inference.rescale import Rescaler, Wanted
from kornia_srgan.inference.upscaler import Upscaler
from tests.helpers.generators import Nearest
from tests.helpers.tolerances import assert_near

UPSCALER = Upscaler(Nearest(2), device="cpu", tile=3)


def values(shape, dtype="uint8"):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("sizes", [(40, 30), (30, 40), (7, 7), (100, 3), (1, 5), (5, 1), (64, 63)])
def test_taps_are_the_matrix_of_imresize(sizes):
    taps = cubic_taps(*sizes)
    matrix = np.zeros(sizes[::-1])
    for index, weight in zip(taps.indices.T, taps.weights.T, strict=True):
        np.add.at(matrix, (np.arange(sizes[1]), index), weight)
    assert_near(matrix, bicubic_matrix(*sizes), "elementwise")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("target", [(20, 15), (61, 47), (33, 90), (1, 1), (120, 90), (60, 45)])
@pytest.mark.parametrize("parts", [1, 4, 60])
def test_bands_give_what_the_whole_gives(parts, target, dtype):
    pixels = values((60, 45, 3), dtype)
    bands = list(resample_bands(iter(np.array_split(pixels, parts)), (60, 45), target))
    result = np.concatenate(bands)
    assert result.shape == (*target, 3)
    rows, columns = bicubic_matrix(60, target[0]), bicubic_matrix(45, target[1])
    expected = np.einsum("ih,hwc,jw->ijc", rows, pixels, columns, optimize=True).clip(0, np.iinfo(dtype).max)
    assert np.abs(result - expected).max() <= 0.51
    assert result.dtype == pixels.dtype


def test_few_rows_are_kept():
    """Memory is bounded: the first rows are out long before the last are in."""
    given = []

    def bands():
        for band in np.array_split(values((400, 8, 3)), 100):
            given.append(1)
            yield band

    stream = resample_bands(bands(), (400, 8), (200, 4))
    next(stream)
    assert len(given) < 5


@pytest.mark.parametrize(
    ("wanted", "size"),
    [
        (Wanted(), (20, 30)),
        (Wanted(scale=1.5), (15, 22)),
        (Wanted(scale=2), (20, 30)),
        (Wanted(scale=3), (30, 45)),
        (Wanted(scale=4), (40, 60)),
        (Wanted(scale=0.5), (5, 8)),
        (Wanted(width=100), (67, 100)),
        (Wanted(long_side=15), (10, 15)),
    ],
)
def test_any_size(wanted, size):
    rescaler = Rescaler(UPSCALER, wanted)
    assert rescaler.size(10, 15) == size
    result = np.concatenate(list(rescaler.bands(values((10, 15, 3)))))
    assert result.shape == (*size, 3)


def test_the_models_own_scale_is_untouched():
    pixels = values((6, 7, 3))
    result = np.concatenate(list(Rescaler(UPSCALER, Wanted(scale=2)).bands(pixels)))
    np.testing.assert_array_equal(result, pixels.repeat(2, 0).repeat(2, 1))


def test_two_passes_are_two_passes():
    pixels = values((6, 7, 3))
    result = np.concatenate(list(Rescaler(UPSCALER, Wanted(scale=4)).bands(pixels)))
    np.testing.assert_array_equal(result, pixels.repeat(4, 0).repeat(4, 1))


def test_shrinking_agrees_with_pillow():
    """Pillow's bicubic has the same kernel, with another rounding between the passes."""
    pixels = np.asarray(Image.fromarray(values((8, 8, 3))).resize((64, 64), Image.Resampling.BICUBIC))
    result = np.concatenate(list(Rescaler(UPSCALER, Wanted(scale=0.5)).bands(pixels))).astype(int)
    pillow = np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BICUBIC))
    assert np.abs(result - pillow)[2:-2, 2:-2].max() <= 2


class Darker(Nearest):
    """Keeps the size, and changes what one can see that it ran."""

    def forward(self, lr):
        return lr * 0.5


@pytest.mark.parametrize(
    ("wanted", "noted"),
    [
        (Wanted(), False),
        (Wanted(scale=1), False),
        (Wanted(scale=0.5), False),
        (Wanted(scale=2), True),
        (Wanted(width=50), True),
        (Wanted(long_side=31), True),
    ],
)
def test_weights_that_keep_the_size_run_once_and_the_rest_is_said(wanted, noted):
    rescaler = Rescaler(Upscaler(Darker(1), device="cpu"), wanted)
    result = np.concatenate(list(rescaler.bands(np.full((10, 15, 3), 200, np.uint8))))
    assert result.shape == (*rescaler.size(10, 15), 3)
    assert (result == 100).all()
    assert bool(rescaler.notes(10, 15)) == noted
    assert not Rescaler(UPSCALER, wanted).notes(10, 15)


@pytest.mark.parametrize(
    "wrong", [{"scale": 0}, {"scale": -1}, {"scale": float("nan")}, {"scale": 2, "width": 5}]
)
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(UserError):
        Wanted(**wrong)

"""PNG written from bands of rows."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.photos.photo import Metadata, Raster
from kornia_srgan.photos.png import write_png

SPACES = {1: ("L", False), 2: ("L", True), 3: ("RGB", False), 4: ("RGB", True)}


def raster(pixels, bands):
    space, alpha = SPACES[pixels.shape[-1]]
    return Raster(*pixels.shape[:2], space, alpha, pixels.dtype, iter(bands))


def noise(shape, dtype=np.uint8):
    """Smooth, with noise and both ends of the range."""
    y = np.linspace(0, 1, shape[0])[:, None, None] + np.linspace(0, 0.5, shape[1])[None, :, None]
    values = y / 1.5 + np.random.default_rng(0).normal(0, 0.2, shape)
    return (values.clip(0, 1) * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("channels", SPACES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_another_decoder_reads_the_same_pixels(tmp_path, channels, dtype):
    imagecodecs = pytest.importorskip("imagecodecs")
    pixels = noise((301, 19, channels), dtype)
    path = tmp_path / "out.png"
    write_png(path, raster(pixels, np.split(pixels, [1, 4, 150])), Metadata())
    read = imagecodecs.png_decode(path.read_bytes())
    assert read.dtype == dtype
    assert np.array_equal(read.reshape(pixels.shape), pixels)


def test_pillow_reads_the_same_pixels_and_what_describes_them(tmp_path):
    pixels = noise((40, 30, 3))
    exif = Image.Exif()
    exif[0x010E] = "a hill"
    path = tmp_path / "out.png"
    write_png(path, raster(pixels, [pixels]), Metadata(dpi=(300.0, 300.0), exif=exif.tobytes()[6:]))
    with Image.open(path) as image:
        image.load()
        assert np.array_equal(np.asarray(image), pixels)
        assert image.getexif()[0x010E] == "a hill"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)


@pytest.mark.parametrize("cuts", [[1], [63, 64, 65], [10, 20, 130], range(1, 201)])
def test_a_file_does_not_depend_on_how_rows_come(tmp_path, cuts):
    pixels = noise((201, 7, 3))
    whole, parts = tmp_path / "whole.png", tmp_path / "parts.png"
    write_png(whole, raster(pixels, [pixels]), Metadata())
    write_png(parts, raster(pixels, np.split(pixels, list(cuts))), Metadata())
    assert parts.read_bytes() == whole.read_bytes()
    assert np.array_equal(np.asarray(Image.open(parts)), pixels)


def test_rows_are_on_the_disk_before_the_next_ones_are_made(tmp_path):
    path = tmp_path / "out.png"
    rows = np.random.default_rng(0).integers(0, 256, (64, 5000, 3), np.uint8)
    sizes = []

    def bands():
        for _ in range(3):
            sizes.append(path.stat().st_size)
            yield rows

    write_png(path, Raster(192, 5000, "RGB", False, rows.dtype, bands()), Metadata())
    assert sizes[0] < 1000
    assert all(later - earlier > 0.9 * rows.nbytes for earlier, later in itertools.pairwise(sizes))


@pytest.mark.parametrize("sigma", [0.0, 0.02])
def test_pictures_are_hardly_larger_than_pillow_makes_them(tmp_path, sigma):
    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8))
    soft = np.array(small.resize((640, 480), Image.Resampling.BICUBIC)) / 255.0
    pixels = ((soft + random.normal(0, sigma, soft.shape)).clip(0, 1) * 255).astype(np.uint8)
    path, other = tmp_path / "out.png", io.BytesIO()
    write_png(path, raster(pixels, [pixels]), Metadata())
    Image.fromarray(pixels).save(other, "PNG", compress_type=3)
    assert path.stat().st_size < 1.05 * len(other.getvalue())

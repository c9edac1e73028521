"""Finding and decoding: every mode and format, EXIF, damage."""

import os
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from kornia_srgan.data import images
from kornia_srgan.data.images import find_images, read_rgb, read_size
from kornia_srgan.errors import DataError, ImageError
from tests.helpers.pictures import photo

RGB = photo(12, 20)
GREY = np.arange(240, dtype=np.uint8).reshape(12, 20)


def saved(tmp_path, image, name="x.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def test_finds_images_in_nested_folders_in_order(photos):
    (photos / "notes.txt").write_text("no")
    (photos / ".hidden.png").write_bytes(b"x")
    (photos / ".git").mkdir()
    (photos / ".git" / "x.png").write_bytes(b"x")
    Image.fromarray(RGB).save(photos / "bare", format="PNG")
    (photos / "README").write_text("no suffix and no image")
    names = [p.relative_to(photos).as_posix() for p in find_images(photos)]
    assert names == ["a.png", "b.jpg", "bare", "narrow.tif", "sub/c.webp", "sub/deep/d.bmp", "tiny.png"]
    assert find_images([photos / "sub", photos])[0] == photos / "sub" / "c.webp"
    assert len(find_images([photos, photos])) == 7
    assert find_images([photos / "a.png"]) == [photos / "a.png"]


def test_upper_case_suffixes_count(tmp_path):
    assert find_images(saved(tmp_path, Image.fromarray(RGB), "X.JPG").parent) == [tmp_path / "X.JPG"]


def test_symlink_loops_end(photos):
    os.symlink(photos, photos / "sub" / "loop")
    os.symlink(photos / "nowhere.png", photos / "dangling.png")
    assert len(find_images(photos)) == 6


def test_missing_and_empty_folders_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"folder '.*nowhere' does not exist"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no images in '.*' or the folders in it; put photographs there"):
        find_images([tmp_path])
    with pytest.raises(DataError, match="no data folder was given"):
        find_images([])


def test_rgb_is_read_as_it_is(tmp_path):
    path = saved(tmp_path, Image.fromarray(RGB))
    np.testing.assert_array_equal(read_rgb(path), RGB)
    assert read_size(path) == (12, 20)
    assert read_rgb(path).flags.writeable


def test_format_is_found_by_content_not_by_name(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "x.jpg", format="PNG")
    np.testing.assert_array_equal(read_rgb(tmp_path / "x.jpg"), RGB)


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.bmp", "x.webp", "x.gif", "x.ppm", "x.tga"])
def test_grey_images_have_three_equal_channels(tmp_path, name):
    options = {"lossless": True} if name == "x.webp" else {}
    read = read_rgb(saved(tmp_path, Image.fromarray(GREY), name, **options))
    np.testing.assert_array_equal(read, np.repeat(GREY[..., None], 3, 2))


def test_bilevel(tmp_path):
    read = read_rgb(saved(tmp_path, Image.fromarray(GREY > 100)))
    np.testing.assert_array_equal(read[..., 1], np.where(GREY > 100, 255, 0))


def test_palette(tmp_path):
    image = Image.fromarray(RGB).quantize(16)
    np.testing.assert_array_equal(read_rgb(saved(tmp_path, image)), np.asarray(image.convert("RGB")))


def test_cmyk(tmp_path):
    image = Image.fromarray(RGB).convert("CMYK")
    np.testing.assert_allclose(read_rgb(saved(tmp_path, image, "x.tif")), RGB, atol=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_lie_over_white(tmp_path, mode):
    alpha = np.zeros((12, 20), np.uint8)
    alpha[:, :10] = 255
    image = Image.fromarray(np.dstack([RGB, alpha]))
    if mode == "P":
        image = Image.fromarray(np.where(alpha > 0, 7, 3).astype(np.uint8)).convert("P")
        image.putpalette([i for i in range(256) for _ in range(3)])
        path = saved(tmp_path, image, transparency=3)
        expected = 7
    else:
        path = saved(tmp_path, image.convert(mode))
        expected = np.asarray(Image.fromarray(RGB).convert("L").convert("RGB") if mode == "LA" else RGB)[
            :, :10
        ]
    read = read_rgb(path)
    np.testing.assert_array_equal(read[:, :10], expected)
    assert (read[:, 10:] == 255).all()


def test_sixteen_bits_become_eight(tmp_path):
    wide = (GREY.astype(np.uint16) * 257) + 100
    for name in ("x.png", "x.tif"):
        read = read_rgb(saved(tmp_path, Image.fromarray(wide), name))
        np.testing.assert_array_equal(read[..., 0], np.floor(wide / 257 + 0.5))


def test_wide_integers_and_floats_are_scaled_into_range(tmp_path):
    for values, expected in (
        (GREY.astype(np.int32), GREY),
        (GREY.astype(np.int32) * 257, GREY),
        (GREY.astype(np.float32), GREY),
        (GREY.astype(np.float32) / 255, GREY),
    ):
        read = read_rgb(saved(tmp_path, Image.fromarray(values), "x.tif"))
        np.testing.assert_array_equal(read[..., 2], expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    path = saved(tmp_path, Image.fromarray(np.ascontiguousarray(undo(RGB))), exif=exif)
    np.testing.assert_array_equal(read_rgb(path), RGB)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("text.png", "not an image in a format"), ("empty.jpg", "not an image"), ("cut.png", "truncated")],
)
def test_damaged_files_say_why(damaged, name, reason):
    with pytest.raises(ImageError, match=f"cannot read image '.*{name}': .*{reason}"):
        read_rgb(damaged / name)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        read_rgb(tmp_path / "none.png")
    with pytest.raises(ImageError, match="it is a folder"):
        read_rgb(tmp_path)


def test_decompression_bombs_are_refused(tmp_path, monkeypatch):
    path = saved(tmp_path, Image.new("L", (100, 100)))
    monkeypatch.setattr(images, "MAX_PIXELS", 9_999)
    with pytest.raises(ImageError, match="over the limit"):
        read_rgb(path)


@pytest.mark.parametrize("kind", ["float", "half", "bigtiff", "planar"])
def test_tiffs_that_upscale_reads_are_read_here_too(tmp_path, kind):
    values = RGB.astype(np.float32) / 255
    tifffile.imwrite(
        tmp_path / "x.tif",
        {"half": values.astype(np.float16), "bigtiff": RGB, "planar": values.transpose(2, 0, 1)}.get(
            kind, values
        ),
        photometric="rgb",
        bigtiff=kind == "bigtiff",
        planarconfig="separate" if kind == "planar" else "contig",
    )
    np.testing.assert_array_equal(read_rgb(tmp_path / "x.tif"), RGB)
    assert read_size(tmp_path / "x.tif") == RGB.shape[:2]


def test_twelve_bit_and_ten_bit_files(tmp_path):
    codecs = pytest.importorskip("imagecodecs", reason="they are written by imagecodecs")
    flat = np.full((24, 32, 3), 2048, np.uint16)
    (tmp_path / "x.jpg").write_bytes(codecs.jpeg8_encode(flat, bitspersample=12, level=100))
    (tmp_path / "x.avif").write_bytes(codecs.avif_encode(flat >> 2, bitspersample=10, level=100))
    for name in ("x.jpg", "x.avif"):
        assert np.abs(read_rgb(tmp_path / name).astype(int) - 128).max() <= 1
        assert read_size(tmp_path / name) == (24, 32)


@pytest.mark.parametrize(("suffix", "module"), [(".heic", "pillow_heif"), (".jxl", "pillow_jxl")])
def test_files_of_phones(tmp_path, suffix, module, monkeypatch):
    plugin = pytest.importorskip(module, reason=f"needs {module}")
    if module == "pillow_heif":
        plugin.from_bytes("RGB", (32, 24), bytes([90, 120, 200]) * 768).save(tmp_path / "x.heic", quality=-1)
    else:
        Image.new("RGB", (32, 24), (90, 120, 200)).save(tmp_path / "x.jxl", lossless=True)
    read = read_rgb(tmp_path / f"x{suffix}")
    assert read.shape == (24, 32, 3)
    assert np.abs(read.astype(int) - [90, 120, 200]).max() <= 3
    assert read_size(tmp_path / f"x{suffix}") == (24, 32)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "pillow_jxl.JpegXLImagePlugin", None)
    with pytest.raises(ImageError, match="pip install 'kornia-srgan"):
        read_rgb(tmp_path / f"x{suffix}")


def test_a_fourth_band_is_not_taken_for_transparency(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 4), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "four.tif", pixels, photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(ImageError, match=r"it has 4 bands, 3 of them colours.*trained with channels 4"):
        read_rgb(tmp_path / "four.tif")
    tifffile.imwrite(tmp_path / "alpha.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    assert read_rgb(tmp_path / "alpha.tif").shape == (9, 8, 3)


def test_half_transparent_pixels_have_the_one_rounding_of_written_pictures(tmp_path):
    """Training sees what `upscale` writes to a format without transparency: rounded to the nearest."""
    grey, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    path = saved(tmp_path, Image.fromarray(np.dstack([grey] * 3 + [alpha])))
    exact = (grey.astype(np.int64) * alpha + 255 * (255 - alpha.astype(np.int64))) / 255
    np.testing.assert_array_equal(read_rgb(path)[..., 0], np.floor(exact + 0.5))

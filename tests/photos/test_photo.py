"""Real files of every kind, enlarged by a generator whose answer is known, and read back."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from kornia_srgan.batch.jobs import Job
from kornia_srgan.batch.run import run_job
from kornia_srgan.errors import ImageError
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.photos.colour import ADOBE_RGB
from kornia_srgan.photos.decode import MAX_PIXELS, read_photo
from kornia_srgan.photos.encode import write_photo, write_rasters
from kornia_srgan.photos.formats import FORMATS, WriteOptions, default_format
from kornia_srgan.photos.header import check_size, peek_header
from kornia_srgan.photos.icc import power_curve, rgb_profile
from kornia_srgan.photos.photo import Metadata, Raster
from tests.helpers.generators import Nearest

UPSCALER = Upscaler(Nearest(2), device="cpu", tile=5)


def enlarge(source, target, **options):
    job = Job(source, target, FORMATS[_format(target)], str(source))
    outcome = run_job(job, UPSCALER, WriteOptions(**options))
    assert outcome.status == "done", outcome.error
    return outcome


def _format(path):
    return next(f.name for f in FORMATS.values() if path.suffix in f.suffixes)


def values(shape, dtype="uint8", seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def repeated(pixels):
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


def png16(path, pixels):
    import imagecodecs

    path.write_bytes(imagecodecs.png_encode(pixels))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_eight_bit_modes_through_lossless_formats(tmp_path, mode, suffix):
    image = Image.fromarray(values((6, 8, 4)).clip(1), "RGBA")
    image = image.convert("RGB").convert(mode) if mode == "P" else image.convert(mode)
    source, target = tmp_path / "in.png", tmp_path / f"out{suffix}"
    image.save(source)
    expected = {"1": "L", "P": "RGB"}.get(mode, mode)
    reference = np.asarray(Image.open(source).convert(expected))
    enlarge(source, target)
    with Image.open(target) as result:
        if suffix != ".webp":  # WebP knows RGB only
            assert result.mode == expected
        np.testing.assert_array_equal(np.asarray(result.convert(expected)), repeated(reference))


def test_a_palette_with_transparency_becomes_rgba(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putdata([0, 1])
    image.save(tmp_path / "in.png", transparency=bytes([255, 0]))
    enlarge(tmp_path / "in.png", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as result:
        assert result.mode == "RGBA"
        assert result.getpixel((0, 0)) == (255, 0, 0, 255)
        assert result.getpixel((3, 1))[3] == 0


def test_cmyk_stays_cmyk(tmp_path):
    inks = values((4, 5, 4))
    Image.fromarray(inks, "CMYK").save(tmp_path / "in.tif")
    enlarge(tmp_path / "in.tif", tmp_path / "out.tif")
    with Image.open(tmp_path / "out.tif") as result:
        assert result.mode == "CMYK"
        np.testing.assert_array_equal(np.asarray(result), repeated(inks))


def test_cmyk_jpeg_keeps_its_inks_by_default(tmp_path):
    Image.new("CMYK", (8, 8), (10, 200, 30, 40)).save(tmp_path / "in.jpg", quality=100)
    assert default_format(peek_header(tmp_path / "in.jpg")).name == "TIFF"
    enlarge(tmp_path / "in.jpg", tmp_path / "out.jpg", quality=100)
    with Image.open(tmp_path / "out.jpg") as result:
        assert result.mode == "CMYK"
        np.testing.assert_allclose(np.asarray(result)[0, 0], (10, 200, 30, 40), atol=3)


def test_cmyk_to_png_is_converted_and_says_so(tmp_path):
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "in.tif")
    outcome = enlarge(tmp_path / "in.tif", tmp_path / "out.png")
    assert "CMYK" in outcome.notes[0]
    with Image.open(tmp_path / "out.png") as result:
        assert result.mode == "RGB"
        assert result.getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("before", "after"), [(".png", ".png"), (".png", ".tif"), (".tif", ".tif"), (".tif", ".png")]
)
def test_sixteen_bits_are_kept(tmp_path, channels, before, after):
    pytest.importorskip("imagecodecs")
    pixels = values((5, 7, channels), "uint16")
    if channels in (2, 4):
        pixels[..., -1] = pixels[..., -1].clip(1)
    pixels = pixels[..., 0] if channels == 1 else pixels
    source, target = tmp_path / f"in{before}", tmp_path / f"out{after}"
    if before == ".png":
        png16(source, pixels)
    else:
        alpha = ["unassalpha"] if channels in (2, 4) else None
        kind = "rgb" if channels >= 3 else "minisblack"
        tifffile.imwrite(source, pixels, photometric=kind, extrasamples=alpha, planarconfig="contig")
    enlarge(source, target)
    result = read_back(target)
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result, repeated(pixels))


def read_back(path):
    if path.suffix == ".tif":
        return tifffile.imread(path)
    import imagecodecs

    return imagecodecs.png_decode(path.read_bytes())


def test_sixteen_bits_in_eight_bit_formats_are_rounded_and_said(tmp_path):
    pixels = np.full((4, 4, 3), 257 * 100 + 120, np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", pixels, photometric="rgb")
    outcome = enlarge(tmp_path / "in.tif", tmp_path / "out.webp")
    assert "uint16" in outcome.notes[0]
    with Image.open(tmp_path / "out.webp") as result:
        assert result.getpixel((0, 0)) == (100, 100, 100)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_compressed_planar_tiff(tmp_path, compression):
    pytest.importorskip("imagecodecs")
    pixels = values((3, 9, 7), "uint16")
    tifffile.imwrite(
        tmp_path / "in.tif", pixels, photometric="rgb", planarconfig="separate", compression=compression
    )
    enlarge(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), repeated(np.moveaxis(pixels, 0, -1)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_tiff_is_streamed_by_strips(tmp_path, monkeypatch, channels, dtype):
    """Several strips, the last of them shorter; read by tifffile and by libtiff."""
    monkeypatch.setattr("kornia_srgan.photos.tiff._STRIP_BYTES", 130)
    pixels = (
        values((13, 7, channels), "uint16") / 65535
        if dtype == "float32"
        else values((13, 7, channels), dtype)
    )
    pixels = pixels.astype(dtype)
    picture = Raster(
        26,
        14,
        "L" if channels == 1 else "RGB",
        channels == 4,
        pixels.dtype,
        iter(np.array_split(repeated(pixels), 5)),
    )
    write_rasters(tmp_path / "out.tif", [picture], Metadata())
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert len(file.pages[0].dataoffsets) > 2
        np.testing.assert_array_equal(file.pages[0].asarray().reshape(26, 14, channels), repeated(pixels))
    if dtype == "uint8":
        with Image.open(tmp_path / "out.tif") as image:
            np.testing.assert_array_equal(np.asarray(image).reshape(26, 14, channels), repeated(pixels))


def test_float_tiff(tmp_path):
    pixels = np.random.default_rng(0).random((5, 4, 3)).astype(np.float32)
    tifffile.imwrite(tmp_path / "in.tif", pixels, photometric="rgb")
    enlarge(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), repeated(pixels))


def test_float_outside_the_range_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", np.full((4, 4, 3), 2, np.float32), photometric="rgb")
    with pytest.raises(ImageError, match=r"\[0, 1\]"):
        read_photo(tmp_path / "in.tif")


def test_pages_of_a_tiff(tmp_path):
    pages = [values((4, 5, 3), seed=1), values((6, 3, 3), seed=2)]
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for page in pages:
            file.write(page, photometric="rgb")
    enlarge(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert len(file.pages) == 2
        for page, expected in zip(file.pages, pages, strict=True):
            np.testing.assert_array_equal(page.asarray(), repeated(expected))


def test_pages_do_not_fit_into_png(tmp_path):
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for _ in range(2):
            file.write(values((4, 5, 3)), photometric="rgb")
    outcome = run_job(
        Job(tmp_path / "in.tif", tmp_path / "o.png", FORMATS["PNG"], "x"), UPSCALER, WriteOptions()
    )
    assert outcome.status == "failed"
    assert "TIFF" in str(outcome.error)
    assert [p.name for p in tmp_path.iterdir()] == ["in.tif"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_orientation_is_applied_once(tmp_path, orientation, suffix):
    """Pillow's own transposition is the oracle."""
    from PIL import ImageOps

    image = Image.fromarray(np.kron(values((2, 3, 3)), np.ones((8, 8, 1), np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if suffix == ".webp" else {}
    image.save(tmp_path / f"in{suffix}", exif=exif, **lossless)
    with Image.open(tmp_path / f"in{suffix}") as stored:
        upright = np.asarray(ImageOps.exif_transpose(stored))
    enlarge(tmp_path / f"in{suffix}", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as result:
        assert result.getexif().get(0x0112, 1) == 1
        np.testing.assert_array_equal(np.asarray(result), repeated(upright))


def test_sixteen_bit_tiff_is_turned_too(tmp_path):
    pixels = values((3, 5, 3), "uint16")
    tifffile.imwrite(tmp_path / "in.tif", pixels, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    enlarge(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), repeated(np.rot90(pixels, -1)))


def test_the_shape_that_tifffile_notes_is_not_kept(tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", values((4, 5, 3), "uint16"), photometric="rgb")
    enlarge(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].description == ""


def test_transparent_colour_does_not_fringe(tmp_path):
    """A red disc on what an editor left black: the half-transparent edge stays red in every pixel."""

    class Smooth(Nearest):
        halo = 1

        def forward(self, lr):
            from torch.nn import functional as F

            return F.interpolate(lr, scale_factor=2, mode="bilinear")

    rows, columns = np.mgrid[:24, :24] - 11.5
    alpha = ((np.hypot(rows, columns) < 8) * 255).astype(np.uint8)
    pixels = np.zeros((24, 24, 4), np.uint8)
    pixels[..., 0] = np.where(alpha, 255, 0)
    pixels[..., 3] = alpha
    result = np.asarray(Upscaler(Smooth(2), device="cpu")(Image.fromarray(pixels, "RGBA")))
    seen = result[..., 3] > 0
    assert seen.any()
    assert (result[..., 3][seen] < 255).any()
    assert result[..., 0][seen].min() == 255
    naive = np.asarray(
        Image.fromarray(pixels, "RGBA").getchannel("R").resize((48, 48), Image.Resampling.BILINEAR)
    )
    assert naive[seen].min() < 255  # what would have come out


def test_cut_outs_get_no_ghost_of_their_outline():
    """A generator that rings, as real ones do beside hard edges."""

    class Ringing(Nearest):
        halo = 3

        def forward(self, lr):
            import torch
            from torch.nn import functional as F

            blurred = F.avg_pool2d(F.pad(lr, (3, 3, 3, 3), mode="replicate"), 7, stride=1)
            near_an_edge = (blurred > 0) & (blurred < 1)
            return super().forward(torch.where(near_an_edge, 0.1 + 0.8 * lr, lr))

    pixels = np.zeros((20, 24, 4), np.uint8)
    pixels[:10] = 255
    result = np.asarray(Upscaler(Ringing(2), device="cpu", tile=7)(Image.fromarray(pixels, "RGBA")))[..., 3]
    assert (result[:18] == 255).all()
    assert (result[22:] == 0).all()


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_animations_keep_frames_and_timing(tmp_path, suffix):
    frames = [Image.new("RGB", (8, 6), c) for c in ("red", "lime", "blue")]
    times = [100, 250, 40]
    lossless = {"lossless": True} if suffix == ".webp" else {}
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=times, loop=3, **lossless)
    enlarge(source, target)
    with Image.open(source) as before, Image.open(target) as after:
        assert after.n_frames == 3
        assert after.size == (16, 12)
        assert after.info["loop"] == before.info["loop"]
        for index, time in enumerate(times):
            before.seek(index)
            after.seek(index)
            assert after.convert("RGB").getpixel((9, 7)) == before.convert("RGB").getpixel((4, 3))
            after.load()
            assert after.info["duration"] == time


def test_a_gif_is_seen_or_not(tmp_path):
    pixels = np.full((4, 4, 4), 200, np.uint8)
    pixels[..., 3] = np.array([0, 100, 150, 255])[:, None]
    Image.fromarray(pixels, "RGBA").save(tmp_path / "in.png")
    enlarge(tmp_path / "in.png", tmp_path / "out.gif")
    alpha = np.asarray(Image.open(tmp_path / "out.gif").convert("RGBA"))[..., 3]
    np.testing.assert_array_equal(alpha[:, 0], [0, 0, 0, 0, 255, 255, 255, 255])


def test_an_animation_does_not_fit_into_jpeg(tmp_path):
    frames = [Image.new("RGB", (8, 6), c) for c in ("red", "lime")]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=50)
    job = Job(tmp_path / "in.gif", tmp_path / "out.jpg", FORMATS["JPEG"], "in.gif")
    outcome = run_job(job, UPSCALER, WriteOptions())
    assert outcome.status == "failed"
    assert "animation" in str(outcome.error)


def test_transparency_in_jpeg_is_flattened_and_said(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "in.png")
    outcome = enlarge(tmp_path / "in.png", tmp_path / "out.jpg")
    assert "transparency" in outcome.notes[0]
    with Image.open(tmp_path / "out.jpg") as result:
        assert result.getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize("suffix", [".jpg", ".avif", ".webp"])
def test_quality_matters(tmp_path, suffix):
    Image.fromarray(np.kron(values((8, 8, 3)), np.ones((4, 4, 1), np.uint8))).save(tmp_path / "in.png")
    sizes = []
    for quality in (30, 95):
        enlarge(tmp_path / "in.png", tmp_path / f"{quality}{suffix}", quality=quality)
        sizes.append((tmp_path / f"{quality}{suffix}").stat().st_size)
    assert sizes[0] < sizes[1]


def test_subsampling_of_jpeg(tmp_path):
    Image.fromarray(values((16, 16, 3))).save(tmp_path / "in.png")
    for choice, expected in (("4:4:4", (1, 1)), ("4:2:0", (2, 2))):
        enlarge(tmp_path / "in.png", tmp_path / "out.jpg", subsampling=choice)
        with Image.open(tmp_path / "out.jpg") as result:
            assert result.layer[0][1:3] == expected


def test_a_profile_stays_with_its_values(tmp_path):
    """Wide-gamut values are not read as sRGB: they come out as they are, under the same profile."""
    profile = rgb_profile("wide", ADOBE_RGB, [power_curve(2.2)])
    pixels = values((4, 4, 3))
    for suffix in (".png", ".tif", ".webp"):
        Image.fromarray(pixels).save(tmp_path / "in.png", icc_profile=profile)
        enlarge(tmp_path / "in.png", tmp_path / f"out{suffix}")
        with Image.open(tmp_path / f"out{suffix}") as result:
            assert result.info["icc_profile"] == profile
            np.testing.assert_array_equal(np.asarray(result), repeated(pixels))


def test_bombs_are_refused_before_they_are_decoded(tmp_path):
    header = b"IHDR" + struct.pack(">IIBBBBB", 20000, 20000, 1, 0, 0, 0, 0)
    end = struct.pack(">I", zlib.crc32(header))
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + header + end + b"\x00\x00\x00\x00IDAT"
    )
    with pytest.raises(ImageError, match=r"400.0 million pixels.*--max-pixels"):
        read_photo(tmp_path / "bomb.png")
    small = Image.new("1", (20, 20))
    small.save(tmp_path / "small.png")
    with pytest.raises(ImageError, match="over the limit"):
        read_photo(tmp_path / "small.png", max_pixels=399)
    assert read_photo(tmp_path / "small.png", max_pixels=400).width == 20


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"GIF89a"])
def test_what_is_no_picture_is_one_clear_line(tmp_path, content):
    (tmp_path / "in.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"cannot read '.*in\.png': ") as caught:
        read_photo(tmp_path / "in.png")
    assert "\n" not in str(caught.value)


def test_bytes_are_read_as_well():
    file = io.BytesIO()
    Image.new("RGB", (3, 2)).save(file, "PNG")
    photo = read_photo(file.getvalue())
    assert (photo.width, photo.height) == (3, 2)


def test_a_photo_can_be_written_as_it_is(tmp_path):
    Image.fromarray(values((4, 5, 3))).save(tmp_path / "in.png", dpi=(300, 300))
    write_photo(tmp_path / "out.tif", read_photo(tmp_path / "in.png"))
    with Image.open(tmp_path / "out.tif") as result:
        np.testing.assert_array_equal(np.asarray(result), values((4, 5, 3)))
        assert result.info["dpi"] == pytest.approx((300, 300), rel=1e-3)


def test_too_large_for_a_format_is_said_before_computing(tmp_path):
    Image.new("L", (9000, 1)).save(tmp_path / "in.png")
    job = Job(tmp_path / "in.png", tmp_path / "out.webp", FORMATS["WEBP"], "in.png")
    outcome = run_job(job, UPSCALER, WriteOptions())
    assert "16383" in str(outcome.error)


@pytest.mark.parametrize("size", [(11648, 8736), (14204, 10652), (19008, 12672), (12240, 16320)])
def test_what_cameras_make_is_no_bomb(size):
    """Fujifilm GFX 100, Phase One IQ4, pixel shift of a Sony A7R V, phones of 200 megapixels."""
    check_size(size[0] * size[1], MAX_PIXELS)

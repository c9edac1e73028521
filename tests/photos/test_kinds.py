"""Kinds of files: what is read, and what is refused by its name instead of called damaged."""

import io
import logging
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from kornia_srgan.errors import ImageError
from kornia_srgan.photos import extra_formats
from kornia_srgan.photos.colour import ADOBE_RGB
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.find import looks_like_picture
from kornia_srgan.photos.header import peek_header
from kornia_srgan.photos.icc import power_curve, rgb_profile
from kornia_srgan.photos.signature import kind_of
from tests.helpers.extras import pretend_missing

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)


def encoded(name, image=None, **options):
    file = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(file, name, **options)
    return file.getvalue()


def heic(pixels=PIXELS, **options):
    heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    file = io.BytesIO()
    image = heif.from_bytes("RGB", pixels.shape[1::-1], pixels.tobytes())
    image.save(file, quality=-1, chroma=444, **options)
    return file.getvalue()


def jxl(pixels=PIXELS, **options):
    pytest.importorskip("pillow_jxl", reason="JPEG XL needs pillow-jxl-plugin")
    return encoded("JXL", Image.fromarray(pixels), **({"lossless": True} | options))


def psd(pixels=PIXELS):
    """The flattened picture of a Photoshop file without layers, uncompressed."""
    height, width, channels = pixels.shape
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, height, width, 8, 3)
    return header + struct.pack(">IIIH", 0, 0, 0, 0) + pixels.transpose(2, 0, 1).tobytes()


def tiff(pixels=PIXELS, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **({"photometric": "rgb"} | options))
    return file.getvalue()


def dng(**options):
    """A thumbnail in front, and the mark of a camera's raw file."""
    return tiff(extratags=[(50706, "B", 4, (1, 4, 0, 0), True)], **options)


LOSSLESS = {
    "psd": psd,
    "bigtiff": lambda: tiff(bigtiff=True),
    "bigtiff, other order": lambda: tiff(bigtiff=True, byteorder=">"),
    "tiled": lambda: tiff(tile=(16, 16)),
    "planar": lambda: tiff(PIXELS.transpose(2, 0, 1), planarconfig="separate"),
    "jxl": jxl,
    "jxl in a container": lambda: jxl(use_container=True),
    "sgi": lambda: encoded("SGI"),
    "tga": lambda: encoded("TGA"),
    "pcx": lambda: encoded("PCX"),
    "qoi": lambda: encoded("QOI"),
    "dds": lambda: encoded("DDS"),
    "jp2": lambda: encoded("JPEG2000"),
    "bmp": lambda: encoded("BMP"),
    "ppm": lambda: encoded("PPM"),
    "mpo of one": lambda: encoded("PNG"),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_kinds_without_loss_are_read_as_they_are(kind):
    data = LOSSLESS[kind]()
    photo = read_photo(data)
    np.testing.assert_array_equal(photo.frames[0].pixels, PIXELS)
    header = peek_header(data)
    assert (header.width, header.height, header.format) == (24, 20, photo.format)


def test_heic_is_read_with_its_metadata():
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    data = heic(exif=exif.tobytes())
    photo = read_photo(data)
    assert np.abs(photo.frames[0].pixels.astype(int) - PIXELS).mean() < 3
    assert b"a maker" in photo.metadata.exif
    header = peek_header(data)
    assert (header.width, header.height, header.format) == (24, 20, "HEIF")


def test_turned_heic_and_jxl_are_upright_once():
    """Their decoders turn the pixels by themselves."""
    exif = Image.Exif()
    exif[0x0112] = 6
    flat = np.zeros((16, 64, 3), np.uint8)
    flat[:, :8] = 255  # left becomes top
    heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(flat)).save(file, quality=-1, exif=exif.tobytes())
    photo = read_photo(file.getvalue())
    assert photo.frames[0].pixels.shape == (64, 16, 3)
    assert photo.frames[0].pixels[0, 8].min() > 200


def test_limits_hold_before_decoding():
    for data in (psd(), tiff(bigtiff=True), jxl(), heic(), b"P5 24 20 65535\n" + bytes(960)):
        with pytest.raises(ImageError, match="over the limit"):
            read_photo(data, max_pixels=479)
        assert read_photo(data, max_pixels=480).width == 24


@pytest.mark.parametrize(
    ("make", "modules", "extra"),
    [
        (heic, ["pillow_heif"], "heif"),
        (jxl, ["pillow_jxl", "pillow_jxl.JpegXLImagePlugin"], "jxl"),
        (dng, ["rawpy"], "raw"),
        (lambda: b"FUJIFILMCCD-RAW 0201FF" + bytes(100), ["rawpy"], "raw"),
        (lambda: b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100), ["rawpy"], "raw"),
        (lambda: b"IIRO\x08\0\0\0" + bytes(100), ["rawpy"], "raw"),
    ],
)
def test_without_its_package_a_kind_is_named_and_how_to_get_it(monkeypatch, make, modules, extra):
    data = make()
    pretend_missing(monkeypatch, *modules)
    with pytest.raises(ImageError, match=rf"pip install 'kornia-srgan\[{extra}\]'"):
        read_photo(data)


def test_camera_raw_is_never_its_thumbnail(tmp_path):
    pytest.importorskip("rawpy", reason="camera raw needs rawpy")
    (tmp_path / "in.dng").write_bytes(dng())
    with pytest.raises(ImageError, match="camera's raw file that LibRaw cannot develop"):
        read_photo(tmp_path / "in.dng")
    assert peek_header(tmp_path / "in.dng") is None
    (tmp_path / "in.NEF").write_bytes(tiff())  # a TIFF by its bytes
    with pytest.raises(ImageError, match="camera's raw file"):
        read_photo(tmp_path / "in.NEF")


def mosaic(height=64, width=96, light=16_000):
    """A raw file of a camera that sees sRGB: red grows to the right, green downwards, blue to the left."""
    y, x = np.mgrid[:height, :width]
    scene = np.stack([x / width, y / height, 1 - x / width], -1)
    site = (y % 2 + x % 2)[..., None]
    values = np.take_along_axis(scene, site, -1)[..., 0] * light + 100
    to_camera = np.linalg.inv([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    matrix = [v for m in to_camera.ravel() for v in (int(m * 10_000), 10_000)]
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True), (50708, "s", 0, "Camera", True), (271, "s", 0, "a maker", True),
        (33421, "H", 2, (2, 2), True), (33422, "B", 4, (0, 1, 1, 2), True),
        (50721, "2i", 9, tuple(matrix), True),
        (50728, "2I", 3, (1, 1) * 3, True), (50778, "H", 1, 21, True), (50714, "H", 1, 100, True),
        (50717, "H", 1, 16_100, True), (274, "H", 1, 6, True),
    ]  # fmt: skip
    return tiff(values.astype(np.uint16), photometric=32803, extratags=tags, metadata=None)


def test_camera_raw_is_developed_upright_with_its_metadata(tmp_path):
    pytest.importorskip("rawpy", reason="camera raw needs rawpy")
    photo = read_photo(mosaic())
    pixels = photo.frames[0].pixels.astype(int)
    assert pixels.shape == (96, 64, 3), "turned upright"
    assert photo.frames[0].pixels.dtype == np.uint16
    assert "developed from camera raw" in photo.notes[0]
    assert b"a maker" in photo.metadata.exif
    top, bottom = pixels[8:24, 16:48].mean((0, 1)), pixels[72:88, 16:48].mean((0, 1))
    assert bottom[0] > 2 * top[0], "red grows to what was the right"
    assert top[2] > 2 * bottom[2], "blue to what was the left"
    left, right = pixels[32:64, 4:12].mean((0, 1)), pixels[32:64, 52:60].mean((0, 1))
    assert left[1] > 2 * right[1], "green downwards"
    (tmp_path / "in.dng").write_bytes(mosaic())
    assert peek_header(tmp_path / "in.dng").format == "RAW"


def test_camera_raw_without_its_pixels_is_refused(monkeypatch):
    """LibRaw makes black of what is not there, and says so on stderr alone."""
    pytest.importorskip("rawpy", reason="camera raw needs rawpy")
    with pytest.raises(ImageError, match="all its pixels are the same"):
        read_photo(mosaic(light=0), name="in.dng")
    monkeypatch.setattr(extra_formats, "_FEWEST", 1e-3)
    with pytest.raises(ImageError, match="it ends too soon"):
        read_photo(mosaic(), name="in.dng")


def test_a_colour_filter_array_is_camera_raw():
    data = tiff(PIXELS[..., 0].astype(np.uint16), photometric="cfa", extratags=[])
    with pytest.raises(ImageError, match="camera's raw file"):
        read_photo(data)


@pytest.mark.parametrize(
    ("data", "title"),
    [
        (b"\x76\x2f\x31\x01" + bytes(60), "OpenEXR"),
        (b"#?RADIANCE\n" + bytes(60), "Radiance HDR"),
        (b"II\xbc\x01" + bytes(60), "JPEG XR"),
        (b"%PDF-1.4" + bytes(60), "PDF.*render it"),
        (b"%!PS-Adobe-3.0 EPSF-3.0" + bytes(60), "PostScript.*render it"),
        (b'<svg width="10">', "SVG.*render it"),
        (b"\xff\xd8\xff\xf7" + bytes(60), "JPEG-LS"),
        (b"gimp xcf v011\0" + bytes(60), "GIMP"),
        (b"8BPS\0\1" + struct.pack(">6xHIIHH", 3, 20, 24, 32, 3) + bytes(60), "Photoshop.*32-bit RGB"),
        (b"8BPS\0\1" + struct.pack(">6xHIIHH", 5, 20, 24, 8, 7) + bytes(60), "Photoshop.*multichannel"),
    ],
)
def test_what_is_not_supported_is_not_called_damaged(data, title):
    with pytest.raises(ImageError, match=title) as error:
        read_photo(data)
    assert "damaged" not in str(error.value)


def test_animated_jpeg_xl_is_its_first_frame():
    codecs = pytest.importorskip("imagecodecs", reason="it is written by imagecodecs")
    pytest.importorskip("pillow_jxl", reason="JPEG XL needs pillow-jxl-plugin")
    photo = read_photo(codecs.jpegxl_encode(np.stack([PIXELS, 255 - PIXELS]), lossless=True))
    np.testing.assert_array_equal(photo.frames[0].pixels, PIXELS)
    assert "animation" in photo.notes[0]


def test_tiffs_that_pillow_misreads():
    """Signed values it takes for unsigned ones; WebP inside it may not know."""
    with pytest.raises(ImageError, match="int8 have no known white"):
        read_photo(tiff(np.zeros((8, 8), np.int8), photometric="minisblack"))
    codecs = pytest.importorskip("imagecodecs", reason="WebP in a TIFF is read by imagecodecs")
    assert codecs.WEBP.available
    whole = read_photo(tiff(compression="webp", compressionargs={"lossless": True}))
    np.testing.assert_array_equal(whole.frames[0].pixels, PIXELS)


def test_lab_becomes_srgb_without_its_profile():
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(Image.fromarray(PIXELS), srgb, lab, outputMode="LAB")
    photo = read_photo(encoded("TIFF", converted))
    assert np.abs(photo.frames[0].pixels.astype(int) - PIXELS).mean() < 3
    assert photo.metadata.icc is None
    assert not photo.notes


def test_an_animation_that_grows_is_of_one_size():
    """A GIF whose second frame lies outside of the first."""
    small = encoded("GIF", Image.new("RGB", (10, 10), "red"))
    large = encoded("GIF", Image.new("RGB", (14, 12), "blue"))
    image = large.index(b"\x2c")
    table = bytes([large[image + 9] | 0x80 | (large[10] & 7)])  # the global colour table becomes its own
    second = (
        large[image : image + 9]
        + table
        + large[13 : 13 + 3 * 2 ** ((large[10] & 7) + 1)]
        + large[image + 10 :]
    )
    photo = read_photo(small[:-1] + second)
    assert [frame.pixels.shape for frame in photo.frames] == [(12, 14, 3)] * 2
    assert photo.frames[0].alpha[11, 13] == 0
    assert tuple(photo.frames[1].pixels[11, 13]) == (0, 0, 255)


def test_damaged_is_what_is_damaged():
    whole = tiff(bigtiff=True)
    for data in (whole[: len(whole) // 2], psd()[:100], whole[:16], encoded("JPEG")[:200]):
        with pytest.raises(ImageError, match="damaged"):
            read_photo(data)


@pytest.mark.parametrize("after", [9, 1 << 20])
def test_what_is_no_page_behind_the_last_one_costs_nothing(after):
    """As in some old files: the last page points at something, or out of the file."""
    data = bytearray(tiff())
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * entries, after)
    photo = read_photo(bytes(data))
    np.testing.assert_array_equal(photo.frames[0].pixels, read_photo(tiff()).frames[0].pixels)
    assert len(photo.frames) == 1
    assert "further pages is damaged" in " ".join(photo.notes)


@pytest.mark.parametrize("back", [0, 1])
def test_pages_that_point_back_end(back):
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((3, 8, 8, 3), np.uint8), photometric="rgb", metadata=None)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as opened:
        offsets = [page.offset for page in (opened.pages[i] for i in range(3))]
    data = bytearray(file.getvalue())
    (entries,) = struct.unpack_from("<H", data, offsets[2])
    struct.pack_into("<I", data, offsets[2] + 2 + 12 * entries, offsets[back])
    assert len(read_photo(bytes(data)).frames) == 3


@pytest.mark.parametrize("extra", ["unspecified", ["unassalpha", "unspecified"], ["unspecified"] * 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_bands_that_are_no_picture_are_refused(extra, dtype):
    kinds = [extra] if isinstance(extra, str) else extra
    values = np.zeros((8, 8, 3 + len(kinds)), dtype)
    with pytest.raises(ImageError, match=f"it has {3 + len(kinds)} bands, 3 of them colours"):
        read_photo(tiff(values, extrasamples=kinds))


def psd_with(planes, *, transparent, mode=3, resources=b"", packed=False):
    """A Photoshop file by the specification, with layer information that is only a count."""
    channels, height, width = planes.shape
    deep = planes.dtype == np.uint16
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, height, width, 16 if deep else 8, mode)
    layers = struct.pack(">Ih2x", 4, -1 if transparent else 1)
    body = planes.astype(">u2" if deep else "u1").reshape(channels * height, -1)
    rows = [row.tobytes() for row in body]
    if packed:  # runs of literals: a count less one, then the bytes
        rows = [
            b"".join(bytes([len(r[i : i + 128]) - 1]) + r[i : i + 128] for i in range(0, len(r), 128))
            for r in rows
        ]
        lengths = b"".join(struct.pack(">H", len(r)) for r in rows)
    picture = struct.pack(">H", 1 if packed else 0) + (lengths if packed else b"") + b"".join(rows)
    return (
        header
        + bytes(4)
        + struct.pack(">I", len(resources))
        + resources
        + struct.pack(">I", len(layers))
        + layers
        + picture
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(("mode", "space", "colours"), [(1, "L", 1), (3, "RGB", 3), (4, "CMYK", 4)])
def test_photoshop_s_flattened_picture(packed, dtype, mode, space, colours):
    white = np.iinfo(dtype).max
    planes = np.random.default_rng(0).integers(0, white, (colours + 1, 6, 5), dtype, endpoint=True)
    photo = read_photo(psd_with(planes, transparent=False, mode=mode, packed=packed))
    expected = np.moveaxis(planes[:colours], 0, -1)
    assert photo.space == space
    np.testing.assert_array_equal(photo.frames[0].pixels, white - expected if space == "CMYK" else expected)
    assert photo.frames[0].alpha is None, "a saved selection is no transparency"
    assert "saved selections" in photo.notes[0]


@pytest.mark.parametrize("mixed", [True, False])
def test_photoshop_s_transparency(mixed):
    rng = np.random.default_rng(0)
    colour, alpha = rng.integers(0, 256, (3, 20, 20)), rng.integers(10, 256, (1, 20, 20))
    stored = np.round(colour * (alpha / 255) + 255 - alpha) if mixed else colour
    planes = np.concatenate([stored, alpha]).astype(np.uint8)
    photo = read_photo(psd_with(planes, transparent=True))
    np.testing.assert_array_equal(photo.frames[0].alpha[..., 0], alpha[0])
    visible = np.moveaxis(alpha, 0, -1)[..., 0] > 127
    np.testing.assert_allclose(
        photo.frames[0].pixels[visible], np.moveaxis(colour, 0, -1)[visible], atol=1.01
    )
    assert not photo.notes


def test_photoshop_s_profile_and_resolution_and_what_is_not_there():
    def resource(number, content):
        return b"8BIM" + struct.pack(">H2xI", number, len(content)) + content + bytes(len(content) % 2)

    icc = rgb_profile("wide", ADOBE_RGB, [power_curve(2.2)])
    resolution = struct.pack(">IHHIHH", 300 << 16, 1, 1, 300 << 16, 1, 1)
    planes = np.zeros((3, 4, 4), np.uint8)
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    caption = b"\x1c\x02\x78\0\x05Hello"
    found = resource(1039, icc) + resource(1005, resolution) + resource(1028, caption)
    found += resource(1058, exif.tobytes().removeprefix(b"Exif\0\0")) + resource(1060, b"<x:xmpmeta/>")
    photo = read_photo(psd_with(planes, transparent=False, resources=found))
    assert photo.metadata.icc == icc
    assert photo.metadata.dpi == (300, 300)
    assert caption in photo.metadata.photoshop
    assert b"a maker" in photo.metadata.exif
    assert photo.metadata.xmp == b"<x:xmpmeta/>"
    missing = resource(1057, struct.pack(">IB", 1, 0) + bytes(20))
    with pytest.raises(ImageError, match="Maximize Compatibility"):
        read_photo(psd_with(planes, transparent=False, resources=missing))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_fourth_band_of_which_nothing_is_said_is_kept_and_named(dtype):
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (8, 8, 4), dtype)
    data = bytearray(tiff(values, extrasamples=["unassalpha"], metadata=None))
    place = data.index(struct.pack("<HHI", 338, 3, 1))  # the tag ExtraSamples becomes a private one
    struct.pack_into("<H", data, place, 337)
    photo = read_photo(bytes(data))
    np.testing.assert_array_equal(photo.frames[0].alpha[..., 0], values[..., 3])
    assert any("last band is taken for transparency" in note for note in photo.notes)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_stated_opacity_is_kept(dtype):
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (8, 8, 4), dtype)
    frame = read_photo(tiff(values, extrasamples=["unassalpha"])).frames[0]
    np.testing.assert_array_equal(np.concatenate([frame.pixels, frame.alpha], -1), values)


def test_the_place_on_the_map_is_named_when_it_is_left_out():
    tags = [(33550, "d", 3, (1.0, 1.0, 0.0), True), (34735, "H", 4, (1, 1, 0, 0), True)]
    for big in (False, True):
        (note,) = read_photo(tiff(extratags=tags, bigtiff=big)).notes
        assert "GeoTIFF" in note
        assert "ModelPixelScaleTag, GeoKeyDirectoryTag" in note


def test_a_bigtiff_keeps_its_metadata():
    tags = [(274, "H", 1, 6, True), (271, "s", 0, "a maker", True), (700, "B", 9, b"<x:xmpm/>", True)]
    photo = read_photo(tiff(bigtiff=True, extratags=tags, resolution=(300, 300), resolutionunit="inch"))
    assert photo.frames[0].pixels.shape == (24, 20, 3), "turned upright"
    assert b"a maker" in photo.metadata.exif
    assert photo.metadata.dpi == (300, 300)
    assert photo.metadata.xmp == b"<x:xmpm/>"


@pytest.mark.parametrize("make", [psd, heic, jxl, dng, tiff], ids=["psd", "heic", "jxl", "dng", "tiff"])
def test_pictures_are_found_by_their_first_bytes(tmp_path, make):
    for name in ("without", "with.unknown", ".jpg_large"):
        path = tmp_path / f"x{name}"
        path.write_bytes(make())
        assert looks_like_picture(path)
    (tmp_path / "notes").write_text("P5 is a photo paper, BM a brand")
    assert not looks_like_picture(tmp_path / "notes")


def test_signatures_do_not_overlap():
    for data, name in (
        (psd(), "PSD"),
        (tiff(), "TIFF"),
        (encoded("AVIF"), "AVIF"),
        (encoded("WEBP"), "WEBP"),
    ):
        assert kind_of(data).name == name


@pytest.mark.parametrize("name", ["photo.psd", "bigtiff8.tif", "photo.heic", "photo.jxl"])
def test_the_reported_files_are_read(shared_data, name):
    if name.endswith(".heic"):
        pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    if name.endswith(".jxl"):
        pytest.importorskip("pillow_jxl", reason="JPEG XL needs pillow-jxl-plugin")
    photo = read_photo(shared_data / "reports" / name)
    reference = read_photo(shared_data / "reports" / "base.png").frames[0].pixels.astype(int)
    assert np.abs(photo.frames[0].pixels - reference).mean() < 6


@pytest.mark.parametrize(
    ("name", "message"), [("raw.dng", "camera's raw file"), ("rgb_plus_nir.tif", "4 bands")]
)
def test_the_reported_files_are_refused(shared_data, name, message):
    with pytest.raises(ImageError, match=message):
        read_photo(shared_data / "reports" / name)


def test_a_cursor_with_a_png_inside_is_read():
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert("RGBA").save(file, "ICO", sizes=[(8, 8)])
    data = file.getvalue()
    cursor = data[:2] + b"\2\0" + data[4:10] + struct.pack("<HH", 3, 5) + data[14:]  # its hot spot
    theirs = read_photo(data).frames[0]
    np.testing.assert_array_equal(read_photo(cursor).frames[0].pixels, theirs.pixels)


@pytest.mark.parametrize("spiff", [b"", b"\xff\xe8\0\x20SPIFF\0" + bytes(14) + b"\6" + bytes(9)])
def test_jpeg_ls_is_named(spiff):
    with pytest.raises(ImageError, match="JPEG-LS files are not supported"):
        read_photo(b"\xff\xd8" + spiff + b"\xff\xf7\0\x0b\x08" + bytes(40))


@pytest.mark.parametrize("read", [peek_header, read_photo])
def test_tifffile_s_remarks_are_not_printed(monkeypatch, read):
    """Python prints what no handler takes; under pytest there is always one."""
    logger = logging.getLogger("tifffile")
    monkeypatch.setattr(logger, "handlers", [])
    read(tiff(PIXELS / 255))  # float64, which Pillow does not open
    assert logger.handlers

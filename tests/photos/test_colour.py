"""Colours that a file states by other means than ICC keep their meaning; a picture's look is the oracle."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from kornia_srgan.errors import ImageError
from kornia_srgan.photos import icc as profiles
from kornia_srgan.photos.colour import ADOBE_RGB
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.encode import write_photo

SRGB = ImageCms.createProfile("sRGB")


def pixels(shape=(16, 16, 3)):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def with_chunks(path, image, *chunks):
    """A PNG with chunks put in after its header."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    data = file.getvalue()
    extra = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    path.write_bytes(data[:33] + extra + data[33:])
    return path


def gama(value):
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def chrm(primaries):
    flat = (*primaries.white, *primaries.red, *primaries.green, *primaries.blue)
    return b"cHRM", struct.pack(">8I", *(round(v * 100_000) for v in flat))


def look(path):
    """What a colour-managed viewer shows, in sRGB."""
    with Image.open(path) as image:
        icc = image.info.get("icc_profile")
        if icc is None:
            return np.asarray(image.convert("RGB")).astype(int)
        shown = image.convert("RGB") if profiles.space_of(icc) == b"RGB " else image
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        return np.asarray(ImageCms.profileToProfile(shown, profile, SRGB, outputMode="RGB")).astype(int)


def linear(values, gamma):
    return (values / 255) ** gamma


def as_srgb(light):
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def to_srgb_matrix(primaries):
    """Linear RGB of some primaries of the same white to linear sRGB, by the textbook."""

    def to_xyz(p):
        xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (p.red, p.green, p.blue)]).T
        white = np.array([p.white[0] / p.white[1], 1, (1 - p.white[0] - p.white[1]) / p.white[1]])
        return xyz * np.linalg.solve(xyz, white)

    return np.linalg.inv(to_xyz(profiles.SRGB)) @ to_xyz(primaries)


P3 = profiles.Primaries((0.3127, 0.3290), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg", ".avif"])
def test_a_png_s_gamma_is_kept_in_every_format_with_profiles(tmp_path, suffix):
    flat = np.full((16, 16, 3), (40, 120, 200), np.uint8)
    source = with_chunks(tmp_path / "in.png", flat, gama(1.0))
    write_photo(tmp_path / f"out{suffix}", read_photo(source))
    expected = as_srgb(linear(flat.astype(float), 1.0))
    assert np.abs(look(tmp_path / f"out{suffix}") - expected).max() <= (2 if suffix != ".avif" else 5)


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 3)], ids=["grey", "rgb"])
def test_colours_become_srgb_where_a_format_has_no_profiles(tmp_path, shape):
    source = with_chunks(tmp_path / "in.png", pixels(shape), gama(1 / 1.4))
    notes = write_photo(tmp_path / "out.bmp", read_photo(source))
    assert notes == ("BMP cannot store an ICC profile: converted to sRGB",)
    expected = as_srgb(linear(pixels(shape).astype(float), 1.4))
    with Image.open(tmp_path / "out.bmp") as image:
        assert np.abs(np.asarray(image).astype(int) - expected).max() <= 2


def test_a_png_s_gamma_of_grey_is_kept(tmp_path):
    source = with_chunks(tmp_path / "in.png", pixels((16, 16)), gama(1 / 1.4))
    write_photo(tmp_path / "out.png", read_photo(source))
    expected = as_srgb(linear(pixels((16, 16)).astype(float), 1.4))
    assert np.abs(look(tmp_path / "out.png")[..., 0] - expected).max() <= 2


def test_a_png_s_primaries_are_kept(tmp_path):
    source = with_chunks(tmp_path / "in.png", pixels(), gama(1 / 2.2), chrm(P3))
    write_photo(tmp_path / "out.png", read_photo(source))
    expected = as_srgb(linear(pixels().astype(float), 2.2) @ to_srgb_matrix(P3).T)
    assert np.abs(look(tmp_path / "out.png") - expected).max() <= 2


def test_cicp_is_kept_and_goes_before_icc(tmp_path):
    other = profiles.rgb_profile("other", ADOBE_RGB, [profiles.power_curve(1.8)])
    iccp = (b"iCCP", b"x\0\0" + zlib.compress(other))
    source = with_chunks(tmp_path / "in.png", pixels(), (b"cICP", bytes([12, 13, 0, 1])), iccp)
    write_photo(tmp_path / "out.png", read_photo(source))
    light = (
        np.where((v := pixels() / 255) <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
        @ to_srgb_matrix(P3).T
    )
    assert np.abs(look(tmp_path / "out.png") - as_srgb(light)).max() <= 2


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [(b"sRGB", b"\0")],
        [(b"sRGB", b"\0"), gama(0.5)],
        [gama(0.45455)],
        [gama(0.45455), chrm(profiles.SRGB)],
        [chrm(profiles.SRGB)],
        [(b"cICP", bytes([1, 13, 0, 1]))],
        [(b"cICP", bytes([1, 1, 0, 1]))],
        [gama(0)],
        [gama(0.45455), (b"cHRM", bytes(32))],
    ],
    ids=str,
)
def test_srgb_and_nonsense_get_no_profile(tmp_path, chunks):
    photo = read_photo(with_chunks(tmp_path / "in.png", pixels(), *chunks))
    assert photo.metadata.icc is None
    assert not photo.notes


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused(tmp_path, transfer, name):
    source = with_chunks(tmp_path / "in.png", pixels(), (b"cICP", bytes([9, transfer, 0, 1])))
    with pytest.raises(ImageError, match=f"HDR picture \\({name}\\).*tone-map"):
        read_photo(source)


def test_hdr_by_the_profile_is_refused_too(tmp_path):
    icc = bytearray(profiles.rgb_profile("x", P3, [profiles.SRGB_CURVE]))
    cicp = b"cicp" + bytes(4) + bytes([9, 16, 0, 1])
    place = icc.index(b"cprt")
    icc[place : place + 12] = b"cicp" + struct.pack(">II", len(icc), len(cicp))
    icc[:4] = struct.pack(">I", len(icc) + len(cicp))
    Image.fromarray(pixels()).save(tmp_path / "in.jpg", icc_profile=bytes(icc) + cicp)
    with pytest.raises(ImageError, match="PQ"):
        read_photo(tmp_path / "in.jpg")


def test_unknown_code_points_are_refused(tmp_path):
    with pytest.raises(ImageError, match="CICP 9/10"):
        read_photo(with_chunks(tmp_path / "in.png", pixels(), (b"cICP", bytes([9, 10, 0, 1]))))


def avif_with_nclx(path, primaries, transfer):
    """Pillow writes sRGB's code points; others are put in their place."""
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, "AVIF", quality=100, subsampling="4:4:4")
    data = file.getvalue()
    place = data.index(b"nclx") + 4
    path.write_bytes(data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :])
    return path


def test_nclx_of_an_avif_is_kept(tmp_path):
    photo = read_photo(avif_with_nclx(tmp_path / "in.avif", 12, 13))
    assert (
        photo.metadata.icc
        == read_photo(
            with_chunks(tmp_path / "in.png", pixels(), (b"cICP", bytes([12, 13, 0, 1])))
        ).metadata.icc
    )
    with pytest.raises(ImageError, match="HLG"):
        read_photo(avif_with_nclx(tmp_path / "hlg.avif", 9, 18))


@pytest.mark.parametrize("mark", ["interoperability", "colour space"])
@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png"])
def test_the_adobe_rgb_mark_of_cameras_becomes_a_profile(tmp_path, mark, suffix):
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    inner = exif.get_ifd(0x8769)
    inner[0xA001] = 2 if mark == "colour space" else 0xFFFF
    if mark == "interoperability":
        inner[0xA005] = {1: "R03"}
    Image.fromarray(pixels()).save(tmp_path / f"in{suffix}", exif=exif, quality=100)
    icc = read_photo(tmp_path / f"in{suffix}").metadata.icc
    assert icc is not None
    assert "Adobe RGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))


def test_primaries_of_a_tiff_are_kept(tmp_path):
    flat = (*P3.red, *P3.green, *P3.blue)
    fractions = [v for x in flat for v in (round(x * 1000), 1000)]
    tifffile.imwrite(
        tmp_path / "in.tif", pixels(), photometric="rgb",
        extratags=[(318, "2I", 2, (3127, 10000, 3290, 10000), True), (319, "2I", 6, tuple(fractions), True)],
    )  # fmt: skip
    write_photo(tmp_path / "out.png", read_photo(tmp_path / "in.tif"))
    expected = as_srgb(linear(pixels().astype(float), 2.2) @ to_srgb_matrix(P3).T)
    assert np.abs(look(tmp_path / "out.png") - expected).max() <= 2


@pytest.mark.parametrize("kind", ["grey", "rgb", "rgb, three curves"])
def test_the_transfer_function_of_a_tiff_is_kept(tmp_path, kind):
    curve = [round(65535 * (v / 255) ** 1.8) for v in range(256)]
    values = pixels((16, 16)) if kind == "grey" else pixels()
    tags = [(301, "H", 768 if "three" in kind else 256, tuple(curve * (3 if "three" in kind else 1)), True)]
    photometric = "minisblack" if kind == "grey" else "rgb"
    tifffile.imwrite(tmp_path / "in.tif", values, photometric=photometric, extratags=tags)
    write_photo(tmp_path / "out.png", read_photo(tmp_path / "in.tif"))
    shown = look(tmp_path / "out.png")
    expected = as_srgb(linear(values.astype(float), 1.8))
    assert np.abs((shown[..., 0] if kind == "grey" else shown) - expected).max() <= 2


def test_a_bmp_s_profile_and_primaries_are_kept(tmp_path):
    icc = profiles.rgb_profile("in a BMP", P3, [profiles.power_curve(2.2)])
    file = io.BytesIO()
    Image.fromarray(pixels()).save(file, "BMP")
    body = file.getvalue()[54:]
    info = bytearray(124)
    struct.pack_into("<IiiHHIIiiII", info, 0, 124, 16, 16, 1, 24, 0, len(body), 0, 0, 0, 0)
    struct.pack_into("<4s", info, 56, b"DEBM")
    struct.pack_into("<II", info, 112, 124 + len(body), len(icc))
    head = struct.pack("<2sIHHI", b"BM", 14 + 124 + len(body) + len(icc), 0, 0, 14 + 124)
    (tmp_path / "in.bmp").write_bytes(head + info + body + icc)
    assert read_photo(tmp_path / "in.bmp").metadata.icc == icc
    struct.pack_into("<4s", info, 56, bytes(4))
    matrix = np.linalg.inv(np.eye(3)) @ np.array(
        [[0.4866, 0.2290, 0.0], [0.2657, 0.6917, 0.0451], [0.1982, 0.0793, 1.0439]]
    )
    struct.pack_into("<12I", info, 60, *(round(v * 2**30) for v in matrix.ravel()), *[round(2.2 * 65536)] * 3)
    (tmp_path / "in.bmp").write_bytes(head + info + body)
    write_photo(tmp_path / "out.png", read_photo(tmp_path / "in.bmp"))
    expected = as_srgb(linear(pixels().astype(float), 2.2) @ to_srgb_matrix(P3).T)
    assert np.abs(look(tmp_path / "out.png") - expected).max() <= 2


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
def test_a_profile_of_grey_becomes_one_of_rgb_where_grey_is_written_as_rgb(tmp_path, suffix):
    icc = profiles.grey_profile("grey", profiles.power_curve(1.8))
    flat = np.full((16, 16), 90, np.uint8)
    Image.fromarray(flat).save(tmp_path / "in.png", icc_profile=icc)
    assert not write_photo(tmp_path / f"out{suffix}", read_photo(tmp_path / "in.png"))
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert profiles.space_of(image.info["icc_profile"]) == b"RGB "
    assert np.abs(look(tmp_path / f"out{suffix}") - as_srgb(linear(90.0, 1.8))).max() <= 2


def test_a_profile_for_other_values_is_mended_or_named(tmp_path):
    """Grey under RGB's profile, RGB under grey's, grey under CMYK's."""
    rgb = profiles.rgb_profile("rgb", ADOBE_RGB, [profiles.power_curve(1.8)])
    Image.fromarray(pixels((16, 16))).save(tmp_path / "grey.png", icc_profile=rgb)
    photo = read_photo(tmp_path / "grey.png")
    assert profiles.find_tag(photo.metadata.icc, b"kTRC") == profiles.power_curve(1.8)
    grey = profiles.grey_profile("grey", profiles.power_curve(1.8))
    Image.fromarray(pixels()).save(tmp_path / "rgb.jpg", icc_profile=grey)
    assert profiles.space_of(read_photo(tmp_path / "rgb.jpg").metadata.icc) == b"RGB "
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    Image.fromarray(pixels()).save(tmp_path / "lab.png", icc_profile=lab)
    photo = read_photo(tmp_path / "lab.png")
    assert photo.metadata.icc is None
    assert "profile is for Lab and its values are RGB" in photo.notes[0]


def test_what_is_no_profile_is_left_out_and_named(tmp_path):
    Image.fromarray(pixels()).save(tmp_path / "in.jpg", icc_profile=bytes(range(200)))
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.metadata.icc is None
    assert photo.notes == ("its ICC profile is damaged: left out",)


def test_nclx_and_marks_of_a_heic_are_kept():
    heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")

    def heic(primaries, transfer, exif=None):
        file, image = io.BytesIO(), heif.HeifFile()
        image.add_from_pillow(Image.fromarray(pixels((64, 64, 3))))
        codes = {"color_primaries": primaries, "transfer_characteristics": transfer, "matrix_coefficients": 6}
        image.save(file, quality=-1, **codes, **({"exif": exif.tobytes()} if exif else {}))
        return read_photo(file.getvalue())

    assert heic(1, 13).metadata.icc is None
    assert heic(12, 13).metadata.icc == profiles.rgb_profile("CICP 12/13", P3, [profiles.SRGB_CURVE])
    with pytest.raises(ImageError, match="PQ"):
        heic(9, 16)
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0xA001] = 2
    assert heic(2, 2, exif).metadata.icc is not None
    assert heic(1, 13, exif).metadata.icc is None, "sRGB in so many words goes before the mark"


def test_made_profiles_are_those_of_little_cms():
    """Against LittleCMS's own profile of the same colours, and its check."""
    codecs = pytest.importorskip("imagecodecs", reason="the oracle is in imagecodecs")
    theirs = codecs.cms_profile(
        "rgb", whitepoint=[*P3.white, 1], primaries=[*P3.red, 1, *P3.green, 1, *P3.blue, 1], gamma=2.2
    )
    ours = profiles.rgb_profile("P3", P3, [profiles.power_curve(2.2)])
    opened = [ImageCms.ImageCmsProfile(io.BytesIO(p)) for p in (theirs, ours)]
    shown = [np.asarray(ImageCms.profileToProfile(Image.fromarray(pixels()), p, SRGB)) for p in opened]
    np.testing.assert_allclose(*[s.astype(int) for s in shown], atol=1)
    for profile in (ours, profiles.grey_profile("grey", profiles.SRGB_CURVE), profiles.as_rgb(
        profiles.grey_profile("grey", profiles.BT709_CURVE)
    )):  # fmt: skip
        codecs.cms_profile_validate(profile)


DISPLAY_P3_RED, SRGB_RED = (0.51512, 0.24120, -0.00105), (0.43607, 0.22249, 0.01392)  # XYZ under D50


@pytest.mark.parametrize(
    ("name", "red", "middle"),
    [
        ("p3.avif", DISPLAY_P3_RED, 128),
        ("cicp_p3.png", DISPLAY_P3_RED, 128),
        ("gama10.png", SRGB_RED, 188),
    ],
)
def test_the_reported_files(shared_data, name, red, middle):
    """The red that they mean, and how bright half of the greatest value is, by LittleCMS."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(read_photo(shared_data / "reports" / name).metadata.icc))
    assert profile.profile.red_colorant[0] == pytest.approx(red, abs=1e-4)
    grey = ImageCms.profileToProfile(Image.new("RGB", (1, 1), (128, 128, 128)), profile, SRGB)
    assert grey.getpixel((0, 0)) == (middle, middle, middle)

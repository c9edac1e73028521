"""What a camera and an editor wrote is there afterwards; exiftool, which is not ours, reads it back."""

import shutil
import subprocess

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import IFDRational

from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.metadata import exif_structure, read_metadata
from tests.helpers.photos import enlarge, exiftool

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 tiff:Orientation="6" tiff:ImageWidth="30" xmp:Rating="4"><xmp:Label>Jökull</xmp:Label></rdf:Description>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def camera_exif():
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker", "Model 3", 6
    exif[0x8298], exif[0x013B] = "(c) A. Person", "A. Person"
    inner = exif.get_ifd(0x8769)
    inner[0x829A], inner[0x8827], inner[0x9003] = IFDRational(1, 250), 400, "2024:05:06 07:08:09"
    inner[0xA002], inner[0xA003] = 30, 20
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (47.0, 30.0, 0.0), "E", (8.0, 15.0, 0.0)
    return exif


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8))
    common = {"icc_profile": PROFILE, "exif": camera_exif()}
    image.save(folder / "in.jpg", xmp=XMP, dpi=(240, 240), **common)
    image.save(folder / "in.webp", xmp=XMP, **common)
    image.save(folder / "in.avif", xmp=XMP, **common)
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    image.save(folder / "in.png", pnginfo=info, dpi=(240, 240), **common)
    directory = camera_exif()
    directory[700] = XMP
    image.save(folder / "in.tif", dpi=(240, 240), icc_profile=PROFILE, exif=directory.tobytes())
    return folder


def validated(path):
    """What exiftool reads, with its warnings."""
    return exiftool(path) | exiftool(path, "-a", "-validate", "-warning")


@pytest.mark.parametrize("after", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("before", ["jpg", "png", "webp", "tif", "avif"])
def test_exif_xmp_icc_and_dpi_are_kept(photographs, tmp_path, before, after):
    target = tmp_path / f"out.{after}"
    assert enlarge(photographs / f"in.{before}", target) == ()
    found = exiftool(target)
    width, height = Image.open(target).size
    assert (width, height) == (40, 60)  # turned by orientation 6
    assert found["IFD0:Make"] == "Maker"
    assert found["IFD0:Model"] == "Model 3"
    assert found["IFD0:Copyright"] == "(c) A. Person"
    assert found.get("IFD0:Orientation", 1) == 1
    assert found["ExifIFD:ExposureTime"] == 0.004
    assert found["ExifIFD:ISO"] == 400
    assert found["ExifIFD:DateTimeOriginal"] == "2024:05:06 07:08:09"
    assert (found["ExifIFD:ExifImageWidth"], found["ExifIFD:ExifImageHeight"]) == (40, 60)
    assert found["GPS:GPSLatitude"] == 47.5
    assert found["GPS:GPSLongitude"] == 8.25
    assert found["XMP-xmp:Label"] == "Jökull"
    assert found["XMP-xmp:Rating"] == 4
    assert found["XMP-tiff:Orientation"] == 1
    assert found["XMP-tiff:ImageWidth"] == 40
    with Image.open(target) as image:
        assert image.info["icc_profile"] == PROFILE
    if {before, after} <= {"jpg", "png", "tif"}:
        with Image.open(target) as image:
            assert image.info["dpi"] == pytest.approx((240, 240), abs=0.1)


def test_a_sixteen_bit_tiff_keeps_its_metadata_in_tiff_and_png(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65535, (20, 30, 3), np.uint16)
    source = tmp_path / "in.tif"
    tifffile.imwrite(
        source, pixels, photometric="rgb", iccprofile=PROFILE, resolution=(300, 300), resolutionunit="inch",
        description="a glacier", software="an editor", metadata=None,
        extratags=[(271, "s", 0, "Maker", True), (700, "B", len(XMP), XMP, True), (274, "H", 1, 6, True)],
    )  # fmt: skip
    for target in (tmp_path / "out.tif", tmp_path / "out.png"):
        enlarge(source, target)
        found = exiftool(target)
        assert found["IFD0:Make"] == "Maker"
        assert found["IFD0:ImageDescription"] == "a glacier"
        assert found["XMP-xmp:Label"] == "Jökull"
        assert found["XMP-tiff:Orientation"] == 1
        assert found.get("IFD0:Orientation", 1) == 1
        with Image.open(target) as image:
            assert image.info["icc_profile"] == PROFILE
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exiftool_finds_nothing_wrong(photographs, tmp_path, suffix):
    before, target = validated(photographs / f"in.{suffix}"), tmp_path / f"out.{suffix}"
    enlarge(photographs / f"in.{suffix}", target)
    after = validated(target)
    said = {k: v for k, v in after.items() if "Warning" in k and "minor" not in str(v).lower()}
    known = {k: v for k, v in before.items() if "Warning" in k}
    # TIFF 6.0 of 1992, by which exiftool validates, did not have deflate yet.
    said = {k: v for k, v in said.items() if k not in known and "Compression" not in str(v)}
    assert said == {}


def test_a_thumbnail_of_the_smaller_picture_is_not_kept(photographs, tmp_path):
    source = tmp_path / "in.jpg"
    shutil.copy(photographs / "in.jpg", source)
    thumbnail = tmp_path / "thumbnail.jpg"
    Image.new("RGB", (16, 12)).save(thumbnail)
    exiftool(source)
    subprocess.run(
        ["exiftool", "-overwrite_original", f"-ThumbnailImage<={thumbnail}", str(source)],
        check=True, capture_output=True,
    )  # fmt: skip
    assert "IFD1:ThumbnailOffset" in exiftool(source)
    enlarge(source, tmp_path / "out.jpg")
    found = exiftool(tmp_path / "out.jpg")
    assert "IFD1:ThumbnailOffset" not in found
    assert found["ExifIFD:ISO"] == 400


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_texts_in_any_script_are_kept(tmp_path, suffix):
    """UTF-8, which Pillow reads as Latin-1 and would write as question marks."""
    exif = Image.Exif()
    exif[0x8298] = "\u00a9 Zo\u00eb \u5199\u771f".encode()
    exif[0x010E] = "Gr\u00f6\u00dfe".encode()
    Image.new("RGB", (8, 6)).save(tmp_path / "in.jpg", exif=exif)
    target = tmp_path / f"out{suffix}"
    enlarge(tmp_path / "in.jpg", target)
    with Image.open(target) as image:
        kept = image.getexif()
    for tag in (0x8298, 0x010E):
        assert kept[tag].encode("latin-1") == exif[tag]


@pytest.mark.parametrize("stated", [0, 9, 65535])
@pytest.mark.parametrize("said_by", ["exif", "xmp"])
def test_an_orientation_that_does_not_exist_turns_nothing(tmp_path, said_by, stated):
    exif, pixels = Image.Exif(), np.arange(600, dtype=np.uint8).reshape(20, 30)
    exif[0x0110] = "Model 3"
    xmp = XMP.replace(b'Orientation="6"', b'Orientation="%d"' % stated) if said_by == "xmp" else b""
    if said_by == "exif":
        exif[0x0112] = stated
    info = PngInfo()
    if xmp:
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    path = tmp_path / "in.png"
    Image.fromarray(pixels).save(path, exif=exif, pnginfo=info)
    with Image.open(path) as image:
        image.load()
        metadata, orientation, _ = read_metadata(image.info, path.read_bytes())
    assert orientation == 1
    assert np.array_equal(read_photo(path).frames[0].pixels[..., 0], pixels)
    if said_by == "exif":
        assert exif_structure(metadata.exif).number(0x0112) == 1
    else:
        assert b'Orientation="1"' in metadata.xmp


def test_damaged_exif_is_left_out_and_said(photographs, tmp_path):
    data = (photographs / "in.jpg").read_bytes()
    start = data.index(b"Exif\x00\x00") + 6
    (tmp_path / "in.jpg").write_bytes(data[: start + 8] + b"\xff" * 40 + data[start + 48 :])
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.width in (20, 30)
    enlarge(tmp_path / "in.jpg", tmp_path / "out.jpg")


def test_what_a_format_has_no_place_for_is_said(photographs, tmp_path):
    colour, note = enlarge(photographs / "in.jpg", tmp_path / "out.bmp")
    assert "converted to sRGB" in colour
    assert "EXIF, XMP" in note

"""Words in the plain old formats, and texts and profiles longer than Pillow takes: kept, or named."""

import io
import os
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin
from PIL.PngImagePlugin import PngInfo

from kornia_srgan.data.images import read_rgb, read_size
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.encode import write_photo
from kornia_srgan.photos.header import peek_header
from tests.helpers.photos import enlarge

PIXELS = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LONG = np.random.default_rng(1).integers(0, 256, 20_000, np.uint8).tobytes()


def netpbm(kind):
    """A small file of a kind, with two comments."""
    if kind == b"P7":
        head = b"P7\n# one\nWIDTH 8\nHEIGHT 6\nDEPTH 3\n# two # halves\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n"
        return head + PIXELS.tobytes()
    head = kind + b"\n# one\n8 #two # halves\r6\n"
    values = {b"P1": b" 0 1" * 24, b"P2": b" 7" * 48, b"P3": b" 7" * 144, b"P4": b"#" * 6}
    values |= {b"P5": b"#" * 48, b"P6": b"#" * 144, b"P5 deep": b"#" * 96}
    largest = b"" if kind in (b"P1", b"P4") else b"255\n"
    return head + largest + values[kind]


@pytest.mark.parametrize("kind", [b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7"], ids=bytes.decode)
def test_comments_of_netpbm_are_kept(tmp_path, kind):
    (tmp_path / "in.pnm").write_bytes(netpbm(kind))
    assert enlarge(tmp_path / "in.pnm", tmp_path / "out.jpg") == ()
    texts = [text.value for text in read_photo(tmp_path / "out.jpg").metadata.texts]
    assert texts == ["one", "two # halves"]


def test_comments_of_deep_netpbm_are_kept_and_between_values_too():
    deep = b"P5\n# one\n2 1\n65535\n" + b"#\n#\n"
    assert [t.value for t in read_photo(deep).metadata.texts] == ["one"]
    plain = b"P2 2 1 65535\n1 # between\n2\n# after\n"
    photo = read_photo(plain)
    assert photo.frames[0].pixels.ravel().tolist() == [1, 2]
    assert [t.value for t in photo.metadata.texts] == ["between", "after"]
    assert read_photo(b"PF\n# colour\n1 1\n-1.0\n" + bytes(12)).metadata.texts[0].value == "colour"


def test_a_long_gap_in_a_header_does_not_hang():
    """Runs of runs would take the age of the universe for these 60 bytes."""
    code = (
        "from kornia_srgan.photos.netpbm import netpbm_header; print(netpbm_header(b'P6' + b' ' * 60 + b'x'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, timeout=120, env=os.environ,
    )  # fmt: skip
    assert done.stdout == "None\n"


def test_the_words_of_tga_and_sgi_are_kept(tmp_path):
    area = bytearray(495)
    area[0:2] = (495).to_bytes(2, "little")
    area[2:10], area[43:49], area[124:130], area[426:433] = b"A. Maker", b"line 1", b"line 2", b"Painter"
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "TGA", id_section=b"harbour")
    data = file.getvalue()[:-26]
    end = len(data).to_bytes(4, "little") + bytes(4) + b"TRUEVISION-XFILE.\0"
    (tmp_path / "in.tga").write_bytes(data + area + end)
    assert enlarge(tmp_path / "in.tga", tmp_path / "out.png") == ()
    stated = {(t.keyword, t.value) for t in read_photo(tmp_path / "out.png").metadata.texts}
    assert stated == {
        ("Author", "A. Maker"), ("Comment", "harbour"), ("Comment", "line 1\nline 2"),
        ("Software", "Painter"),
    }  # fmt: skip
    Image.fromarray(PIXELS).save(tmp_path / "in.sgi")
    data = (tmp_path / "in.sgi").read_bytes()
    (tmp_path / "in.sgi").write_bytes(data[:24] + b"harbour".ljust(80, b"\0") + data[104:])
    assert enlarge(tmp_path / "in.sgi", tmp_path / "sgi.png") == ()
    assert read_photo(tmp_path / "sgi.png").metadata.texts[0].value == "harbour"


def test_cards_of_fits_are_named():
    stated = {"SIMPLE": "T", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 2, "NAXIS2": 2}
    cards = [f"{name:8}= {value:>20}" for name, value in stated.items()]
    for more, named in (([], False), (["OBSERVER= 'Someone'"], True)):
        head = "".join(card.ljust(80) for card in [*cards, *more, "END"]).ljust(2880).encode()
        notes = " ".join(read_photo(head + bytes(2880)).notes)
        assert ("FITS" in notes) == named


def long_png(path, what):
    """A PNG with a text or a profile that is too long for Pillow, by Pillow, which does not read it again."""
    info, options = PngInfo(), {}
    if what == "profile":
        size = (len(ICC) + len(LONG)).to_bytes(4, "big")
        options["icc_profile"] = size + ICC[4:] + LONG
    elif what == "many texts":
        for index in range(70):
            info.add_text(f"k{index}", "x" * 2**10)
    else:
        text = LONG.hex()
        (info.add_itxt if what == "iTXt" else info.add_text)("Title", text, zip=True)
    Image.fromarray(PIXELS).save(path, pnginfo=info, **options)
    with pytest.raises(ValueError, match=r"MAX_TEXT|text chunks"):
        Image.open(path)
    return path


@pytest.mark.parametrize("what", ["profile", "zTXt", "iTXt", "many texts"])
def test_long_texts_and_profiles_are_read_everywhere(tmp_path, what, monkeypatch):
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_CHUNK", 2**12)  # 2**20 and 2**26 outside tests
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 2**16)
    path = long_png(tmp_path / "in.png", what)
    np.testing.assert_array_equal(read_rgb(path), PIXELS)
    assert read_size(path) == (6, 8)
    assert peek_header(path).width == 8
    photo = read_photo(path)
    assert photo.notes == ()
    if what == "profile":
        assert photo.metadata.icc.endswith(LONG)
    elif what == "many texts":
        assert len(photo.metadata.texts) == 70
    else:
        assert photo.metadata.texts[0].value == LONG.hex()
    if what == "profile":
        assert enlarge(path, tmp_path / "out.png") == ()
        assert read_photo(tmp_path / "out.png").metadata == photo.metadata


def test_a_damaged_profile_of_a_png_is_named(tmp_path):
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG", icc_profile=ICC)
    data = bytearray(file.getvalue())
    at = data.index(b"iCCP")
    length = int.from_bytes(data[at - 4 : at], "big")
    data[at + 40 : at + 80] = bytes(40)
    data[at + 4 + length : at + 8 + length] = zlib.crc32(data[at : at + 4 + length]).to_bytes(4, "big")
    assert "profile is damaged" in " ".join(read_photo(bytes(data)).notes)


@pytest.mark.parametrize("image", ["grey", "1 bit", "16 bit", "palette", "animated"])
def test_the_header_of_a_png_is_read_as_pillow_reads_it(tmp_path, image):
    made = {
        "grey": Image.fromarray(PIXELS[..., 0]),
        "1 bit": Image.fromarray(PIXELS[..., 0] > 99),
        "16 bit": Image.fromarray(PIXELS[..., 0].astype(np.uint16)),
        "palette": Image.fromarray(PIXELS).quantize(4),
        "animated": Image.fromarray(PIXELS),
    }[image]
    more = {"save_all": True, "append_images": [Image.new("RGB", (8, 6))]} if image == "animated" else {}
    for fallback in (False, True) if more else (False,):
        made.save(tmp_path / "in.png", **more, **({"default_image": True} if fallback else {}))
        with Image.open(tmp_path / "in.png") as theirs:
            header = peek_header(tmp_path / "in.png")
            assert (header.mode, header.width, header.height) == (theirs.mode, *theirs.size)
            assert header.frames == theirs.n_frames


def test_a_date_that_is_none_does_not_cost_the_tiff(tmp_path):
    tifffile.imwrite(
        tmp_path / "in.tif", PIXELS, photometric="rgb", extratags=[(306, 2, 0, "20111006 17:47:14.264", True)]
    )
    write_photo(tmp_path / "out.tif", read_photo(tmp_path / "in.tif"))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].tags[306].value == "20111006 17:47:14.264"

"""Old and plain formats, written by hand: which bit is black, which row is first, which byte."""

import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.decode import read_photo
from tests.helpers.pictures import photo
from tests.helpers.tolerances import about

PIXELS = photo(6, 16)
GREY = PIXELS[..., 0]
WHITE = GREY > 128
BILEVEL = np.where(WHITE, 255, 0).astype(np.uint8)[..., None]
INK = np.packbits(~WHITE, axis=1)


def xbm():
    reversed_bits = [int(f"{byte:08b}"[::-1], 2) for byte in INK.ravel()]
    values = ", ".join(f"0x{byte:02x}" for byte in reversed_bits)
    return f"#define im_width 16\n#define im_height 6\nstatic char im_bits[] = {{\n{values}\n}};\n".encode()


def photoshop_bitmap():
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, 6, 16, 1, 0)
    return header + struct.pack(">IIIH", 0, 0, 0, 0) + INK.tobytes()


def plain_pbm():
    rows = "\n".join("".join(str(int(not white)) for white in row) for row in WHITE)
    return f"P1\n# ink is 1\n16 6\n{rows}\n".encode()


INKED = {
    "xbm": xbm,
    "photoshop": photoshop_bitmap,
    "P1": plain_pbm,
    "P4": lambda: b"P4 16 6\n" + INK.tobytes(),
}


@pytest.mark.parametrize("kind", INKED)
def test_ones_are_ink(kind):
    found = read_photo(INKED[kind]())
    assert found.space == "L"
    np.testing.assert_array_equal(found.frames[0].pixels, BILEVEL)


def fits(values, bits, *cards):
    """Values `(H, W)` or `(planes, H, W)`, from the bottom row on."""
    sizes = values.shape[::-1]
    stated = [("SIMPLE", "T"), ("BITPIX", bits), ("NAXIS", len(sizes))]
    stated += [(f"NAXIS{axis}", size) for axis, size in enumerate(sizes, 1)] + list(cards)
    text = "".join(f"{name:<8}= {value:>20} / said".ljust(80) for name, value in stated) + "END"
    order = values[..., ::-1, :].astype(f">{values.dtype.str[1:]}")
    return text.ljust(2880).encode() + order.tobytes().ljust(2880, b"\0")


DEEP = GREY.astype(np.uint16) * 257
UNIT = (GREY / 255).astype(np.float32)


@pytest.mark.parametrize(
    ("data", "space", "wanted"),
    [
        (fits(GREY, 8), "L", GREY[..., None]),
        (fits((DEEP.astype(int) - 32768).astype(np.int16), 16, ("BZERO", 32768)), "L", DEEP[..., None]),
        (fits(UNIT, -32), "L", UNIT[..., None]),
        (fits(UNIT.astype(float), -64, ("BSCALE", 0.5)), "L", UNIT[..., None] / 2),
        (fits(PIXELS.transpose(2, 0, 1), 8), "RGB", PIXELS),
        (fits(GREY[::-1], 8, ("ROWORDER", "'TOP-DOWN'")), "L", GREY[..., None]),
    ],
    ids=["8", "16", "-32", "-64", "colour", "top-down"],
)
def test_fits(data, space, wanted):
    found = read_photo(data)
    assert (found.space, found.format) == (space, "FITS")
    assert found.frames[0].pixels.dtype == wanted.dtype
    assert found.frames[0].pixels == about(wanted, "elementwise")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (fits(DEEP.astype(np.int16), 16), "no known white"),
        (fits(GREY.astype(np.int32), 32), "no known white"),
        (fits(UNIT * 3, -32), "not all in"),
        (fits(np.stack([GREY] * 4), 8), "4 planes"),
        (
            fits(GREY, 8).replace(b"NAXIS   =                    2", b"NAXIS   =                    1"),
            "no picture",
        ),
        (fits(GREY, 8)[:2900], "ends too soon"),
        (fits(GREY, 8)[:300], "no end"),
        (fits(GREY, 7), "damaged"),
    ],
)
def test_fits_that_is_no_photograph_is_refused(data, reason):
    with pytest.raises(ImageError, match=reason):
        read_photo(data)


def test_a_kind_that_the_decoder_does_not_know_is_not_called_damaged():
    with pytest.raises(ImageError, match="of a kind of BMP that is not supported"):
        read_photo(
            b"BM"
            + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2, 2, 1, 24, 9, 0, 1, 1, 0, 0)
            + bytes(16)
        )


def test_a_pcx_without_its_palette_says_so():
    file = io.BytesIO()
    Image.fromarray(PIXELS).quantize(16).save(file, "PCX")
    data = file.getvalue()
    assert read_photo(data).notes == ()
    assert read_photo(data[:-400]).notes == ("its palette is missing: its values are taken for grey",)
    grey = bytearray(data[:-400])
    grey[68] = 2
    assert read_photo(bytes(grey)).notes == ()


def test_uncompressed_ycbcr_of_a_tiff():
    file = io.BytesIO()
    tifffile.imwrite(
        file, np.asarray(Image.fromarray(PIXELS).convert("YCbCr")), photometric="ycbcr", metadata=None
    )
    found = read_photo(file.getvalue())
    assert found.space == "RGB"
    np.testing.assert_allclose(found.frames[0].pixels.astype(int), PIXELS, atol=4)

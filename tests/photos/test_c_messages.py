"""What C libraries would print is told in our words, and nothing else is lost."""

import io
import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.c_messages import c_messages, first_of
from kornia_srgan.photos.decode import read_photo
from tests.helpers.pictures import photo


def tiff(image, compression):
    file = io.BytesIO()
    image.save(file, "TIFF", compression=compression)
    return bytearray(file.getvalue())


def test_lines_of_the_libraries_are_caught_and_others_stay(capfd):
    with c_messages() as said:
        os.write(2, b"ZIPDecode: Decoding error at scanline 0, incorrect data check.\n")
        os.write(2, b"left out: a.png (a device)\r 50 %\n")
        os.write(2, b"unknown file: data corrupted at 14205\n")
        os.write(2, b"half a line")
    assert said == [
        "ZIPDecode: Decoding error at scanline 0, incorrect data check",
        "unknown file: data corrupted at 14205",
    ]
    assert first_of(said).endswith("incorrect data check and 1 more")
    assert capfd.readouterr().err == "left out: a.png (a device)\r 50 %\nhalf a line"


def test_an_error_inside_leaves_stderr_as_it_was(capfd):
    with pytest.raises(KeyError), c_messages():
        raise KeyError
    os.write(2, b"Seen: yes\n")
    assert capfd.readouterr().err == "Seen: yes\n"


def test_a_damaged_fax_is_noted(capfd):
    """libtiff decodes on, and Pillow says nothing."""
    data = tiff(Image.fromarray(photo(64, 64)).convert("1"), "group4")
    data[40:60] = b"\x55" * 20
    (note,) = read_photo(bytes(data)).notes
    assert "some of its pixels may be wrong (Fax4Decode: " in note
    assert capfd.readouterr() == ("", "")


def test_the_reason_of_libtiff_is_told(capfd):
    data = tiff(Image.fromarray(photo(64, 64)), "tiff_lzw")
    middle = len(data) // 2
    data[middle : middle + 40] = b"\xff" * 40
    with pytest.raises(ImageError, match="not yet in table"):
        read_photo(bytes(data))
    assert capfd.readouterr() == ("", "")


def test_what_libraw_prints_is_not_printed(capfd, tmp_path):
    pytest.importorskip("rawpy", reason="camera raw needs rawpy")
    codecs = pytest.importorskip("imagecodecs", reason="makes the file")
    mosaic = np.random.default_rng(0).integers(0, 4000, (64, 64)).astype(np.uint16)
    packed = codecs.ljpeg_encode(mosaic, bitspersample=12)
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True),  # DNG
        (33421, "H", 2, (2, 2), True),  # a pattern of 2 x 2
        (33422, "B", 4, (0, 1, 1, 2), True),
        (50708, "s", 0, "a camera", True),
    ]
    tifffile.imwrite(
        tmp_path / "a.dng", iter([packed]), shape=mosaic.shape, dtype=np.uint16, compression=7,
        photometric=32803, rowsperstrip=64, extratags=tags, metadata=None,
    )  # fmt: skip
    data = bytearray((tmp_path / "a.dng").read_bytes())
    assert len(read_photo(bytes(data)).notes) == 1
    middle = data.index(packed) + len(packed) // 2
    data[middle : middle + 60] = bytes(60)
    try:
        read = " ".join(read_photo(bytes(data)).notes)
    except ImageError as error:
        read = str(error)
    assert "data corrupted" in read or "Data error" in read
    assert capfd.readouterr() == ("", "")

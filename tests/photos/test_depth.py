"""More than eight bits a channel are read as they are, or a note says that they were cut; colour keys too."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.fit import _in_depth
from kornia_srgan.photos.header import peek_header
from tests.helpers.extras import pretend_missing


def ramp(channels, bits=16, height=24, width=32):
    rng = np.random.default_rng(channels)
    values = rng.integers(0, 2**bits, (height, width, channels))
    values[0, 0], values[0, 1] = 0, 2**bits - 1
    return values.astype(np.uint16)


def read_pixels(path):
    return read_photo(path).frames[0].pixels


@pytest.mark.parametrize("largest", [300, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_netpbm_of_any_depth(tmp_path, kind, largest):
    channels = 3 if kind in ("P3", "P6") else 1
    values = np.random.default_rng(0).integers(0, largest + 1, (5, 7, channels))
    values.flat[:2] = 0, largest
    body = (
        values.astype(">u2").tobytes()
        if kind in ("P5", "P6")
        else "\n".join(" ".join(map(str, row.ravel())) for row in values).encode() + b"\n"
    )
    path = tmp_path / "in.pnm"
    path.write_bytes(f"{kind}\n# a remark 9 9\n7 5\n# another\n{largest}\n".encode() + body)
    pixels = read_pixels(path)
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, np.floor(values * (65535 / largest) + 0.5))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ImageError, match="damaged"):
        read_photo(path)


@pytest.mark.parametrize("largest", [100, 255, 1023, 65535])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pam(channels, largest):
    values = np.random.default_rng(0).integers(0, largest + 1, (5, 7, channels))
    kind = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}[channels]
    head = f"P7\n# a remark\nWIDTH 7\nHEIGHT 5\nDEPTH {channels}\nMAXVAL {largest}\nTUPLTYPE {kind}\nENDHDR\n"
    frame = read_photo(head.encode() + values.astype("u1" if largest < 256 else ">u2").tobytes()).frames[0]
    read = frame.pixels if frame.alpha is None else np.concatenate([frame.pixels, frame.alpha], -1)
    white = 255 if largest < 256 else 65535
    assert read.dtype == (np.uint8 if largest < 256 else np.uint16)
    np.testing.assert_array_equal(read, np.floor(values * (white / largest) + 0.5))


@pytest.mark.parametrize("order", ["<", ">"])
def test_pfm_of_colour(order):
    values = np.random.default_rng(0).random((5, 7, 3), np.float32)
    head = f"PF\n7 5\n{-1.0 if order == '<' else 1.0}\n".encode()
    frame = read_photo(head + values[::-1].astype(f"{order}f4").tobytes()).frames[0]
    np.testing.assert_array_equal(frame.pixels, values)
    assert peek_header(head).width == 7
    with pytest.raises(ImageError, match="not all between 0 and 1"):
        read_photo(head + (values + 1).astype(f"{order}f4").tobytes())


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_deep_avif(tmp_path, channels, bits):
    codecs = pytest.importorskip("imagecodecs", reason="10-bit AVIF is written and read by imagecodecs")
    values = np.repeat(np.linspace(0, 2**bits - 1, 32).astype(np.uint16)[None, :, None], 24, 0).repeat(
        channels, 2
    )
    values = values[..., 0] if channels == 1 else values
    (tmp_path / "in.avif").write_bytes(codecs.avif_encode(values, bitspersample=bits, level=100))
    photo = read_photo(tmp_path / "in.avif")
    frame = photo.frames[0]
    read = frame.pixels if frame.alpha is None else np.concatenate([frame.pixels, frame.alpha], -1)
    assert not photo.notes
    expected = values.reshape(24, 32, -1) / (2**bits - 1) * 65535
    np.testing.assert_allclose(read.astype(float)[..., :1], expected[..., :1], atol=65535 / 2**bits * 3)
    np.testing.assert_allclose(read.astype(float)[..., -1], expected[..., -1], atol=65535 / 2**bits * 3)
    assert read.max() == 65535


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_deep_jpeg_2000_and_jpeg_xl(tmp_path, channels):
    codecs = pytest.importorskip("imagecodecs", reason="16-bit JPEG 2000 and JPEG XL are read by imagecodecs")
    values = ramp(channels)
    values = values[..., 0] if channels == 1 else values
    (tmp_path / "in.jp2").write_bytes(codecs.jpeg2k_encode(values, level=0, reversible=True))
    files = ["in.jp2"]
    if has("pillow_jxl"):
        (tmp_path / "in.jxl").write_bytes(codecs.jpegxl_encode(values, lossless=True))
        files.append("in.jxl")
    for name in files:
        frame = read_photo(tmp_path / name).frames[0]
        read = frame.pixels if frame.alpha is None else np.concatenate([frame.pixels, frame.alpha], -1)
        np.testing.assert_array_equal(read, values.reshape(24, 32, -1), err_msg=name)


def has(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def test_twelve_bit_jpeg_keeps_its_bits_and_its_exif(tmp_path):
    codecs = pytest.importorskip("imagecodecs", reason="12-bit JPEG is read by imagecodecs")
    values = np.repeat(np.linspace(0, 4095, 32).astype(np.uint16)[None, :, None], 24, 0).repeat(3, 2)
    data = codecs.jpeg8_encode(values, bitspersample=12, level=100, subsampling="444")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    block = exif.tobytes()
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    (tmp_path / "in.jpg").write_bytes(data)
    photo = read_photo(tmp_path / "in.jpg")
    assert photo.frames[0].pixels.shape == (32, 24, 3), "turned upright"
    assert b"a maker" in photo.metadata.exif
    expected = np.rot90(values, -1) * (65535 / 4095)
    np.testing.assert_allclose(photo.frames[0].pixels, expected, atol=300)


def test_ten_bit_heic(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    values = np.repeat(np.linspace(0, 1023, 64).astype(np.uint16)[None, :, None], 64, 0).repeat(3, 2)
    image = heif.from_bytes("RGB;16", (64, 64), (values << 6).tobytes())
    image.save(tmp_path / "in.heic", quality=-1, chroma=444)
    read = read_pixels(tmp_path / "in.heic")
    assert read.max() == 65535, "white is white"
    np.testing.assert_allclose(read, values * (65535 / 1023), atol=65535 / 1023 * 3)


def test_sixteen_bit_animations_say_that_they_become_eight(tmp_path):
    path = tmp_path / "in.png"
    frame = np.zeros((4, 4, 3), np.uint16)
    path.write_bytes(apng16([frame, frame + 40_000]))
    photo = read_photo(path)
    assert len(photo.frames) == 2
    assert photo.notes == ("its 16 bits a channel become 8: an animation's frames are written in 8",)


def apng16(frames):
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = frames[0].shape[:2]
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    data += chunk(b"acTL", struct.pack(">II", len(frames), 0))
    sequence = 0
    for index, frame in enumerate(frames):
        fctl = struct.pack(">IIIIIHHBB", sequence, width, height, 0, 0, 1, 10, 0, 0)
        data += chunk(b"fcTL", fctl)
        sequence += 1
        rows = zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in frame))
        if index == 0:
            data += chunk(b"IDAT", rows)
        else:
            data += chunk(b"fdAT", struct.pack(">I", sequence) + rows)
            sequence += 1
    return data + chunk(b"IEND", b"")


def png(values, depth, colour, trns=b""):
    """A PNG of any depth, packed by hand: an oracle of its own."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = values.shape[:2]
    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in values]
    elif depth == 8:
        rows = [row.astype(np.uint8).tobytes() for row in values]
    else:
        bits = (values.reshape(height, -1, 1) >> np.arange(depth - 1, -1, -1)) & 1
        rows = [np.packbits(row.ravel()).tobytes() for row in bits.astype(np.uint8)]
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    key = chunk(b"tRNS", trns) if trns else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + key + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("colour", [0, 2])
def test_the_colour_that_a_png_calls_transparent(depth, colour):
    if colour == 2 and depth < 8:
        pytest.skip("PNG has no such kind")
    channels = 3 if colour == 2 else 1
    values = np.random.default_rng(0).integers(0, 2**depth, (8, 16, channels))
    key = values[3, 5]
    values[4, 6] = key
    values[4, 7, 0] = key[0] ^ 1  # all but the same, in the last bit
    photo = read_photo(png(values, depth, colour, struct.pack(f">{channels}H", *key)))
    frame = photo.frames[0]
    white = np.iinfo(frame.pixels.dtype).max
    np.testing.assert_array_equal(frame.alpha[..., 0] == 0, (values == key).all(-1))
    assert set(np.unique(frame.alpha)) <= {0, white}
    factor = white // (2**depth - 1)
    np.testing.assert_array_equal(frame.pixels, values * factor)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_tiff_of_odd_depths_is_stretched_to_white(tmp_path, bits):
    pytest.importorskip("imagecodecs", reason="packed bits are unpacked by imagecodecs")
    values = ramp(1, bits)[..., 0]
    tifffile.imwrite(tmp_path / "in.tif", values, bitspersample=bits, photometric="minisblack")
    np.testing.assert_array_equal(
        read_pixels(tmp_path / "in.tif")[..., 0], np.floor(values * (65535 / (2**bits - 1)) + 0.5)
    )


def test_a_deep_page_behind_a_shallow_one_is_read_in_its_depth(tmp_path):
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        file.write(np.full((4, 4, 3), 7, np.uint8), photometric="rgb")
        file.write(np.full((4, 4, 3), 300, np.uint16), photometric="rgb")
    assert [f.pixels.dtype for f in read_photo(tmp_path / "in.tif").frames] == [np.uint8, np.uint16]


def test_without_the_decoder_a_note_says_what_is_lost(tmp_path, monkeypatch):
    codecs = pytest.importorskip("imagecodecs", reason="10-bit AVIF is written by imagecodecs")
    data = codecs.avif_encode(ramp(3, 10), bitspersample=10)
    pretend_missing(monkeypatch, "imagecodecs")
    photo = read_photo(io.BytesIO(data).getvalue())
    assert photo.frames[0].pixels.dtype == np.uint8
    assert "its 10 bits a channel become 8" in photo.notes[0]
    assert "kornia-srgan[codecs]" in photo.notes[0]


@pytest.mark.parametrize("name", ["g16.pgm", "tbbn2c16.png"])
def test_the_reported_files_are_deep(shared_data, name):
    assert read_pixels(shared_data / "reports" / name).dtype == np.uint16


@pytest.mark.parametrize("name", ["tbbn2c16.png", "tbbn0g04.png"])
def test_the_reported_files_are_transparent(shared_data, name):
    assert read_photo(shared_data / "reports" / name).frames[0].alpha.min() == 0


def test_a_lower_depth_is_the_nearest():
    every = np.arange(65536, dtype=np.uint16)
    found = _in_depth(every, np.dtype(np.uint16), np.dtype(np.uint8))
    np.testing.assert_array_equal(found, np.rint(every / 257))

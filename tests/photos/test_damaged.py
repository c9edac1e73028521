"""A thousand damaged files: each gives a picture or one clear error; never a traceback or half a file."""

import io
import random

import numpy as np
import pytest
import tifffile
from PIL import Image

from kornia_srgan.batch.jobs import Job
from kornia_srgan.batch.run import run_job
from kornia_srgan.errors import ImageError
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.formats import FORMATS, WriteOptions
from tests.helpers.generators import Nearest

UPSCALER = Upscaler(Nearest(2), device="cpu", tile=0)
ROUNDS = 100


def encoded(form, mode="RGB", **options):
    pixels = np.random.default_rng(0).integers(0, 255, (9, 11, 4), np.uint8)
    image = Image.fromarray(pixels, "RGBA").convert(mode)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    file = io.BytesIO()
    image.save(file, form, exif=exif, **options)
    return file.getvalue()


def frames(form):
    file = io.BytesIO()
    images = [Image.new("RGB", (9, 7), c) for c in ("red", "blue")]
    images[0].save(file, form, save_all=True, append_images=images[1:], duration=50)
    return file.getvalue()


def sixteen(form):
    pixels = np.random.default_rng(0).integers(0, 65535, (9, 11, 3), np.uint16)
    if form == "PNG":
        imagecodecs = pytest.importorskip("imagecodecs")
        return imagecodecs.png_encode(pixels)
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric="rgb", compression="zlib", predictor=True)
    return file.getvalue()


KINDS = {
    "jpeg": lambda: encoded("JPEG"),
    "cmyk": lambda: encoded("JPEG", "CMYK"),
    "png": lambda: encoded("PNG", "RGBA"),
    "palette": lambda: encoded("PNG", "P"),
    "webp": lambda: encoded("WEBP", "RGBA", lossless=True),
    "tiff": lambda: encoded("TIFF", compression="tiff_lzw"),
    "avif": lambda: encoded("AVIF"),
    "gif": lambda: frames("GIF"),
    "png16": lambda: sixteen("PNG"),
    "tiff16": lambda: sixteen("TIFF"),
}


def damaged(data, rng):
    broken = bytearray(data)
    match rng.randrange(4):
        case 0:  # cut off
            return bytes(broken[: rng.randrange(len(broken))])
        case 1:  # some bytes changed
            for _ in range(rng.randint(1, 8)):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
        case 2:  # the header changed
            broken[rng.randrange(min(64, len(broken)))] ^= 1 << rng.randrange(8)
        case _:  # a piece missing
            start = rng.randrange(len(broken))
            del broken[start : start + rng.randint(1, 16)]
    return bytes(broken)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(tmp_path, kind):
    data, rng = KINDS[kind](), random.Random(kind)
    good = 0
    for index in range(ROUNDS):
        (tmp_path / "in").write_bytes(damaged(data, rng))
        target = tmp_path / f"{index}.png"
        form = FORMATS["PNG"]
        outcome = run_job(
            Job(tmp_path / "in", target, form, "in"), UPSCALER, WriteOptions(), max_pixels=1_000_000
        )
        assert outcome.status in ("done", "failed")
        if outcome.status == "failed":
            assert outcome.error
            assert "\n" not in str(outcome.error)
            assert not target.exists()
        else:
            good += 1
            Image.open(target).load()
    assert {p.suffix for p in tmp_path.iterdir()} <= {"", ".png"}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    assert good < ROUNDS


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_wrong_check_sum_of_a_png_s_pixels_is_named(depth):
    """PngSuite's xcsn0g01 is such a file: its pixels can be read, but nothing says that they are right."""
    file = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=depth).reshape(8, 8)).save(file, "PNG")
    data = bytearray(file.getvalue())
    assert read_photo(bytes(data)).notes == ()
    start = data.index(b"IDAT")
    stop = start + 4 + int.from_bytes(data[start - 4 : start], "big")
    data[stop : stop + 4] = b"CSUM"
    try:
        notes = read_photo(bytes(data)).notes
    except ImageError as error:  # the decoder of 16 bits looks at it
        notes = (str(error),)
    assert "check sum" in " ".join(notes) or "damaged" in " ".join(notes)


def jpeg(**options):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"restart_marker_rows": 1}, {"comment": b"x"}],
)
def test_a_sound_jpeg_has_no_note(options):
    assert read_photo(jpeg(**options)).notes == ()


def test_damage_among_the_pixels_of_a_jpeg_is_named():
    """With restart markers libjpeg goes on at the next one, and Pillow says nothing."""
    data = jpeg(restart_marker_blocks=1)
    middle = data.index(b"\xff\xd1") + 6
    (note,) = read_photo(data[:middle] + b"\x11\xff\x3a" + data[middle + 3 :]).notes
    assert "some of its pixels may be wrong (an unknown marker among its pixels" in note


def test_a_restart_marker_that_nothing_announced_is_named():
    data = jpeg()
    middle = len(data) // 2
    (note,) = read_photo(data[:middle] + b"\xff\xd0" + data[middle + 2 :]).notes
    assert "a restart marker out of turn" in note


def test_a_lost_piece_with_a_restart_marker_is_named():
    data = jpeg(restart_marker_blocks=1)
    first = data.index(b"\xff\xd1")
    (note,) = read_photo(data[:first] + data[data.index(b"\xff\xd2") :]).notes
    assert "a restart marker out of turn" in note

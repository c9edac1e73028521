"""Other projects' test images, where they are: each is read as Pillow shows it, or refused for a true reason.

`KORNIA_SRGAN_TEST_IMAGES` names one folder or several (as `PATH` does). PngSuite is at
http://www.schaik.com/pngsuite and in the source of libpng; Pillow's images are in `Tests/images` of its
source: `pip download --no-deps --no-binary :all: pillow`.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.encode import write_photo
from kornia_srgan.photos.find import CAMERA_RAW, looks_like_picture
from kornia_srgan.photos.formats import default_format
from kornia_srgan.photos.header import Header, peek_header

FOLDERS = [Path(p) for p in os.environ.get("KORNIA_SRGAN_TEST_IMAGES", "").split(os.pathsep) if p]
FILES = sorted(f for folder in FOLDERS for f in folder.rglob("*") if f.is_file() and looks_like_picture(f))
MISSING = pytest.param(None, marks=pytest.mark.skip(reason="KORNIA_SRGAN_TEST_IMAGES names no test images"))
# Reasons that hold although Pillow shows something: that is not the picture, or has lost a part of it.
TRUE_REASONS = (
    "HDR", "camera's raw", "bands", "flattened picture", "no known white", "not all in [0, 1]", "do harm",
    "different colour", "over the limit", "which is not known", "pip install", "not supported",
)  # fmt: skip


def shown_by_pillow(path):
    """The first picture as RGBA, upright; None where Pillow cannot read it whole."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                if image.format in ("PNG", "GIF"):  # a damaged frame damages the animation
                    for index in range(1, getattr(image, "n_frames", 1)):
                        image.seek(index)
                        image.load()
                    image.seek(0)
                image.load()
                shown = ImageOps.exif_transpose(image)
                if image.mode == "1" and image.format in ("XBM", "PSD"):  # their ones are ink
                    shown = ImageOps.invert(shown.convert("L"))
                return np.asarray(shown.convert("RGBA")), image.mode, image.format
    except Exception:
        return None


def in_eight_bits(frame, space):
    white = 1.0 if frame.pixels.dtype.kind == "f" else np.iinfo(frame.pixels.dtype).max
    pixels = np.round(frame.pixels / white * 255).astype(np.uint8)
    if space == "CMYK":
        pixels = np.asarray(Image.fromarray(pixels, "CMYK").convert("RGB"))
    return np.repeat(pixels, 3, -1) if space == "L" else pixels


@pytest.mark.parametrize("path", FILES or [MISSING], ids=lambda path: str(path and path.name))
def test_is_read_as_pillow_shows_it(path):
    theirs = shown_by_pillow(path)
    try:
        photo = read_photo(path)
    except ImageError as error:
        message = str(error)
        assert "\n" not in message
        thumbnail = path.suffix.lower() in CAMERA_RAW  # is what Pillow shows of these
        assert theirs is None or thumbnail or any(reason in message for reason in TRUE_REASONS), message
        return
    if theirs is None:
        return
    shown, mode, name = theirs
    if photo.format == "RAW":  # of which Pillow shows the thumbnail
        return
    if (
        mode in ("LAB", "I", "F", "HSV")
        or photo.animated
        or mode.startswith("I;16")
        or (name == "TIFF" and photo.frames[0].pixels.dtype == np.uint16)  # in planes, Pillow mixes them up
        or name in ("PSD", "GIF")
    ):
        assert photo.frames[0].pixels.shape[:2] == shown.shape[:2] or name == "PSD"
        return
    ours = in_eight_bits(photo.frames[0], photo.space)
    assert ours.shape[:2] == shown.shape[:2]
    visible = shown[..., 3] > 64  # the colour of what can hardly be seen is hardly known
    if mode in ("RGBa", "La", "RGBX") or not visible.any():
        return
    off = np.abs(ours[visible].astype(int) - shown[visible][:, :3])
    assert np.quantile(off, 0.99) <= 4, (mode, off.max())


@pytest.mark.parametrize("path", FILES or [MISSING], ids=lambda path: str(path and path.name))
def test_is_written_and_read_back_without_loss(path, tmp_path):
    try:
        photo = read_photo(path)
    except ImageError:
        return
    header = peek_header(path) or Header("PNG", "RGB", photo.width, photo.height, 1)
    form = default_format(header)
    target = tmp_path / f"out{form.suffixes[0]}"
    write_photo(target, photo)
    again = read_photo(target)
    if photo.animated:  # frames that are the same become one
        shown = [sum(frame.duration for frame in p.frames) for p in (photo, again)]
        assert len(again.frames) <= len(photo.frames)
        assert not again.animated or abs(shown[0] - shown[1]) <= len(photo.frames) * 10
        return
    assert len(again.frames) == len(photo.frames)
    if form.name in ("GIF", "WEBP"):
        return
    for before, after in zip(photo.frames, again.frames, strict=True):
        assert after.pixels.dtype == before.pixels.dtype
        seen = slice(None) if before.alpha is None else before.alpha[..., 0] > 0
        if photo.space == again.space:
            np.testing.assert_array_equal(before.pixels[seen], after.pixels[seen])

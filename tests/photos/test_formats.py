"""What `FORMATS` says of each format is what a file of it keeps."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.encode import write_photo
from kornia_srgan.photos.formats import FORMATS
from kornia_srgan.photos.photo import Frame, Metadata, Photo

EVERY_FORMAT = pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)


def metadata():
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    return Metadata(
        icc=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        exif=exif.tobytes().removeprefix(b"Exif\x00\x00"),
        xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'></x:xmpmeta>",
        dpi=(300.0, 300.0),
    )


@EVERY_FORMAT
@pytest.mark.parametrize("kind", ["icc", "exif", "xmp", "dpi"])
def test_metadata_is_kept_where_the_format_says_so(tmp_path, form, kind):
    photo = Photo([Frame(np.zeros((8, 8, 3), np.uint8))], "RGB", "PNG", metadata())
    path = tmp_path / f"out{form.suffixes[0]}"
    notes = write_photo(path, photo)
    kept = getattr(read_photo(path).metadata, kind) is not None
    assert kept == getattr(form, kind)
    if kind != "dpi":
        assert kept != any(kind in note.lower() for note in notes), "what is lost is named"


@EVERY_FORMAT
def test_transparency_is_kept_where_the_format_says_so(tmp_path, form):
    alpha = np.full((16, 16, 1), 100, np.uint8)
    path = tmp_path / f"out{form.suffixes[0]}"
    notes = write_photo(path, Photo([Frame(np.zeros((16, 16, 3), np.uint8), alpha)], "RGB", "PNG"))
    read = read_photo(path).frames[0].alpha
    seen = None if read is None else int(read[0, 0, 0])
    assert seen == {"full": 100, "binary": 0, None: None}[form.alpha]
    assert any("transparency" in note for note in notes) == (form.alpha is None)


@EVERY_FORMAT
@pytest.mark.parametrize("kind", ["deep", "floating", "cmyk"])
def test_values_are_kept_where_the_format_says_so(tmp_path, form, kind):
    pixels, space = {
        "deep": (np.full((16, 16, 3), 1234, np.uint16), "RGB"),
        "floating": (np.full((16, 16, 1), 0.123, np.float32), "L"),
        "cmyk": (np.full((16, 16, 4), 50, np.uint8), "CMYK"),
    }[kind]
    path = tmp_path / f"out{form.suffixes[0]}"
    notes = write_photo(path, Photo([Frame(pixels)], space, "TIFF"))
    photo = read_photo(path)
    same = photo.space == space and photo.frames[0].pixels.dtype == pixels.dtype
    assert same == getattr(form, kind)
    assert bool(notes) != getattr(form, kind)


@EVERY_FORMAT
def test_frames_and_how_often_they_repeat_are_kept_where_the_format_says_so(tmp_path, form):
    frames = [Frame(np.full((16, 16, 3), v, np.uint8), duration=100.0) for v in (0, 100, 200)]
    path = tmp_path / f"out{form.suffixes[0]}"
    for loop in (None, 0, 3) if form.animation else ():
        write_photo(path, Photo(frames, "RGB", "PNG", animated=True, loop=loop))
        photo = read_photo(path)
        assert [f.duration for f in photo.frames] == [100.0] * 3
        stated = loop if loop is not None or not form.stated_once else 1
        assert photo.loop == stated or form.name == "AVIF"

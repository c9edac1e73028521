"""Errors of picture files say which file, besides in their message."""

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.errors import ImageError, UserError
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.encode import write_photo, write_rasters
from kornia_srgan.photos.formats import format_of, named_format, parse_color
from kornia_srgan.photos.photo import Frame, Metadata, Photo, raster_of


@pytest.mark.parametrize(
    "content", [None, b"", b"hello", b"\x89PNG\r\n\x1a\n", b"P5 2 2 255\n\x00", b"%PDF-1.7"]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "a.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_photo(path)
    assert caught.value.where == str(path)
    assert str(caught.value).count(str(path)) == 1


def test_what_is_too_large_is_named_as_the_caller_calls_it(tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="over the limit") as caught:
        read_photo((tmp_path / "a.png").read_bytes(), max_pixels=80, name="sent")
    assert caught.value.where == "sent"


@pytest.mark.parametrize(
    ("name", "frames", "width", "animated", "problem"),
    [
        ("a.jpg", 2, 4, False, "holds one picture"),
        ("a.jpg", 2, 4, True, "holds no animation"),
        ("a.webp", 1, 17000, False, "too many for WEBP"),
        ("a.xyz", 1, 4, False, "is none of"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(tmp_path, name, frames, width, animated, problem):
    photo = Photo(
        [Frame(np.zeros((2, width, 3), np.uint8), None, 40.0)] * frames, "RGB", "PNG", Metadata(), animated
    )
    with pytest.raises(ImageError, match=problem) as caught:
        write_photo(tmp_path / name, photo)
    assert caught.value.where == str(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_pixels_is_not_laid_on_the_target(tmp_path):
    """The one who made them knows which picture they are of."""

    def broken():
        yield raster_of(Frame(np.zeros((2, 2, 3), np.uint8)), "RGB")
        raise UserError("no pixels")

    with pytest.raises(UserError, match="no pixels") as caught:
        write_rasters(tmp_path / "a.tif", broken(), Metadata())
    assert caught.value.where is None


@pytest.mark.parametrize(
    ("call", "where"),
    [
        (lambda: named_format("gfi"), "format"),
        (lambda: parse_color("whte"), "background"),
        (lambda: format_of("a"), "a"),
    ],
)
def test_a_wrong_option_is_named(call, where):
    with pytest.raises(UserError) as caught:
        call()
    assert caught.value.where == where

"""HEIF that is not HEVC is named as what it is."""

import pytest

from kornia_srgan.errors import ImageError
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.items import picture_coding
from tests.helpers.heif import grid, heic
from tests.helpers.pictures import photo


@pytest.fixture(scope="module")
def still():
    return heic(photo(64, 64))


@pytest.mark.parametrize(
    ("coding", "name"),
    [
        (b"avc1", "H.264"),
        (b"jpeg", "JPEG"),
        (b"unci", "uncompressed"),
        (b"av01", "AV1"),
        (b"j2k1", "JPEG 2000"),
    ],
)
def test_other_codecs_are_named(still, coding, name):
    with pytest.raises(ImageError, match=f"HEIF that holds {name}.* is not supported"):
        read_photo(still.replace(b"hvc1", coding))


def test_a_film_is_named(still):
    with pytest.raises(ImageError, match="holds a film alone"):
        read_photo(still.replace(b"meta", b"moov"))


def test_the_coding_of_a_grid_is_that_of_its_tiles(still):
    assert picture_coding(still) == b"hvc1"
    assert picture_coding(grid([still, still], 64, 64)) == b"hvc1"
    assert picture_coding(still.replace(b"pitm", b"free")) == b""

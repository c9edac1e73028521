import io

import pytest
from PIL import Image

from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.jpeg_quality import jpeg_quality


def saved(form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (24, 16), (200, 90, 30)).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("quality", range(1, 101))
def test_every_quality_of_libjpeg_is_read_exactly(quality):
    with Image.open(io.BytesIO(saved("JPEG", quality=quality))) as image:
        assert jpeg_quality(image) == quality


def test_a_table_of_its_own_gives_the_nearest_quality():
    luma, chroma = [17] * 64, [30] * 64  # the standard table at quality 85 has a mean of 17.4
    with Image.open(io.BytesIO(saved("JPEG", qtables=[luma, chroma]))) as image:
        assert jpeg_quality(image) == pytest.approx(85, abs=1)


def test_what_is_no_jpeg_has_none():
    with Image.open(io.BytesIO(saved("PNG"))) as image:
        assert jpeg_quality(image) is None


def test_a_photo_knows_its_quality():
    assert read_photo(saved("JPEG", quality=72)).quality == 72
    assert read_photo(saved("PNG")).quality is None

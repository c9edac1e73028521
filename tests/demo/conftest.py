import numpy as np
import pytest
from PIL import Image

from tests.helpers.profiles import PROFILE
from tests.helpers.tiny_weights import save_tiny_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    return save_tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """A folder of photographs of many kinds; `camera.JPG` says what a camera says and lies on its side."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 255, (20, 30, 3), np.uint8)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    image = Image.fromarray(rgb)
    image.save(folder / "camera.JPG", exif=exif, icc_profile=PROFILE, quality=90)
    image.save(folder / "plain.webp", lossless=True)
    image.save(folder / "plain.bmp")
    image.save(folder / "plain.ppm")
    image.convert("CMYK").save(folder / "print.jpg")
    Image.fromarray(rgb[..., 0]).save(folder / "grey.png")
    Image.fromarray(rng.integers(0, 65535, (20, 30), np.uint16)).save(folder / "deep.png")
    alpha = rng.integers(0, 255, (20, 30, 1), np.uint8)
    Image.fromarray(np.concatenate([rgb, alpha], axis=-1)).save(folder / "see-through.png")
    image.save(folder / "pages.tif", save_all=True, append_images=[image])
    return folder

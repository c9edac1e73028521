"""The work of the page without the page: no Gradio is imported here."""

import struct
import zlib
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.demo.service import (
    FORMAT_NAMES,
    LOSSLESS,
    SAME,
    Service,
    Wish,
    result_format,
    result_name,
    size_in_words,
)
from kornia_srgan.errors import ImageError, KorniaSRGANError, UserError, WeightsError
from kornia_srgan.inference.recipe import Recipe
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.formats import FORMATS
from kornia_srgan.photos.header import Header
from tests.helpers.profiles import PROFILE
from tests.helpers.runner import invoke


@pytest.fixture(scope="module")
def service():
    return Service(1_000_000, "cpu")


def wish_for(weights, *, scale=None, form=SAME, **options):
    return Wish(Recipe(weights, **options), scale, form)


class TestTheFile:
    @pytest.mark.parametrize(
        ("name", "becomes"),
        [
            ("camera.JPG", "camera_x4.JPG"),
            ("plain.webp", "plain_x4.webp"),
            ("plain.bmp", "plain_x4.bmp"),
            ("plain.ppm", "plain_x4.png"),
            ("print.jpg", "print_x4.jpg"),
            ("grey.png", "grey_x4.png"),
            ("deep.png", "deep_x4.png"),
            ("see-through.png", "see-through_x4.png"),
            ("pages.tif", "pages_x4.tif"),
        ],
    )
    def test_is_the_one_that_the_command_writes(
        self, service, photographs, weights, tmp_path, capsys, name, becomes
    ):
        result = service.enlarge(photographs / name, tmp_path / "page", wish_for(weights))
        command = tmp_path / "command" / becomes
        assert invoke(capsys, "upscale", photographs / name, "-o", command, "--weights", weights).code == 0
        assert result.path == tmp_path / "page" / becomes
        assert result.path.read_bytes() == command.read_bytes()

    def test_keeps_what_the_camera_said(self, service, photographs, weights, tmp_path):
        result = service.enlarge(photographs / "camera.JPG", tmp_path, wish_for(weights))
        with Image.open(result.path) as image:
            assert image.size == (80, 120)
            assert image.info["icc_profile"] == PROFILE
            exif = image.getexif()
            assert (exif[0x010F], exif.get(0x0112, 1)) == ("Maker", 1)
            assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert result.words == "20 × 30 → 80 × 120"

    def test_keeps_depth_and_transparency(self, service, photographs, weights, tmp_path):
        deep = read_photo(service.enlarge(photographs / "deep.png", tmp_path / "a", wish_for(weights)).path)
        assert deep.frames[0].pixels.dtype == np.uint16
        clear = read_photo(
            service.enlarge(photographs / "see-through.png", tmp_path / "b", wish_for(weights)).path
        )
        assert clear.frames[0].alpha is not None

    @pytest.mark.parametrize(
        ("option", "asked"),
        [
            (["--color-fix"], {"color_fix": True}),
            (["--ensemble"], {"ensemble": True}),
            (["--tile", "8"], {"tile": 8}),
            (["--scale", "2"], {"scale": 2}),
            (["--format", "tiff"], {"form": "tiff"}),
        ],
    )
    def test_options_are_those_of_the_command(
        self, service, photographs, weights, tmp_path, capsys, option, asked
    ):
        photo = photographs / "grey.png"
        result = service.enlarge(photo, tmp_path / "page", wish_for(weights, **asked))
        arguments = ["upscale", photo, "-o", tmp_path / "command", "--weights", weights, *option]
        assert invoke(capsys, *arguments).code == 0
        (command,) = (tmp_path / "command").glob("[!.]*")
        assert result.path.name == command.name
        assert result.path.read_bytes() == command.read_bytes()

    def test_what_was_lost_is_said(self, service, photographs, weights, tmp_path):
        wish = wish_for(weights, form="jpeg")
        result = service.enlarge(photographs / "see-through.png", tmp_path, wish)
        assert "transparency" in " ".join(result.notes)


class TestRefusals:
    def bomb(self, path, width, height):
        """A PNG whose header promises much; decoding its pixels would fail otherwise."""
        body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + b"\x00\x00\x00\x00IDAT\x35\xaf\x06\x1e")
        return path

    def test_too_many_pixels_by_the_header(self, service, tmp_path):
        with pytest.raises(ImageError, match=r"cannot read 'bomb.png'.*2500.0 million.* 1.0 million"):
            service.open(self.bomb(tmp_path / "bomb.png", 50_000, 50_000))

    def test_the_limit_is_the_service_s(self, photographs, tmp_path, weights):
        small = Service(500, "cpu")
        with pytest.raises(ImageError, match="over the limit"):
            small.enlarge(photographs / "grey.png", tmp_path, wish_for(weights))

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "empty"),
            (b"not a picture", "not a picture"),
            (b"\xff\xd8\xff\xe0\x00\x10JFIF", "damaged|not"),
        ],
    )
    def test_a_bad_file_is_one_line_without_our_folders(self, service, tmp_path, data, reason):
        path = tmp_path / "holiday.jpg"
        path.write_bytes(data)
        with pytest.raises(ImageError, match=reason) as caught:
            service.open(path)
        text = str(caught.value)
        assert "'holiday.jpg'" in text
        assert str(tmp_path) not in text
        assert "\n" not in text

    def test_a_photograph_that_is_gone(self, service, tmp_path):
        with pytest.raises(ImageError, match=r"'holiday.jpg' is no longer available"):
            service.open(tmp_path / "holiday.jpg")

    def test_a_format_that_cannot_hold_it_leaves_nothing(self, service, photographs, weights, tmp_path):
        with pytest.raises(ImageError) as caught:
            service.enlarge(photographs / "pages.tif", tmp_path, wish_for(weights, form="jpeg"))
        assert str(tmp_path) not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_a_result_that_cannot_be_written(self, service, photographs, weights, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(ImageError, match=r"cannot write '?grey_x4\.png"):
            service.enlarge(photographs / "grey.png", tmp_path / "file", wish_for(weights))

    def test_weights_that_are_gone(self, service, photographs, tmp_path):
        with pytest.raises(WeightsError):
            service.enlarge(photographs / "grey.png", tmp_path, wish_for(tmp_path / "gone.safetensors"))


class TestTheWork:
    def test_progress_goes_to_one_by_rows_of_tiles(self, service, photographs, weights, tmp_path):
        told = []
        service.enlarge(photographs / "grey.png", tmp_path, wish_for(weights, tile=5), told.append)
        assert told == pytest.approx([0.25, 0.5, 0.75, 1.0])

    def test_stop_ends_it_and_leaves_nothing(self, photographs, weights, tmp_path):
        service, threads = Service(1_000_000, "cpu"), []

        def stop(_):
            threads.append(Thread(target=service.stop))
            threads[0].start()
            service._stopped.wait(10)

        with pytest.raises(KorniaSRGANError, match="stopped"):
            service.enlarge(photographs / "grey.png", tmp_path, wish_for(weights, tile=5), stop)
        threads[0].join(10)
        assert not threads[0].is_alive()
        assert len(threads) == 1
        assert list(tmp_path.iterdir()) == []

    def test_weights_are_loaded_once_for_what_they_do(self, weights):
        service = Service(1_000_000, "cpu")
        first = service._upscalers.get(Recipe(weights))
        assert service._upscalers.get(Recipe(weights)) is first
        assert service._upscalers.get(Recipe(weights, tile=8)) is not first


def test_size_in_words(photographs):
    assert size_in_words(read_photo(photographs / "grey.png"), 120, 80) == "30 × 20 → 120 × 80"
    assert size_in_words(read_photo(photographs / "pages.tif"), 120, 80) == "30 × 20 → 120 × 80, 2 frames"


@pytest.mark.parametrize(
    ("header", "wanted", "name"),
    [
        (Header("JPEG", "RGB", 1, 1, 1), SAME, "JPEG"),
        (Header("JPEG", "RGB", 1, 1, 1), LOSSLESS, "PNG"),
        (Header("JPEG", "CMYK", 1, 1, 1), LOSSLESS, "TIFF"),
        (Header("MPO", "RGB", 1, 1, 2), SAME, "JPEG"),
        (Header("PPM", "RGB", 1, 1, 1), SAME, "PNG"),
        (Header("PNG", "RGB", 1, 1, 1), "avif", "AVIF"),
        (None, SAME, "TIFF"),
    ],
)
def test_formats(header, wanted, name):
    assert wanted in FORMAT_NAMES
    assert result_format(header, wanted) is FORMATS[name]


def test_unknown_format(photographs):
    with pytest.raises(UserError, match="unknown format"):
        result_format(None, "svg")


def test_names():
    assert result_name("Füße (1) {x}.JPEG", 4, FORMATS["JPEG"]) == "Füße (1) {x}_x4.JPEG"
    assert result_name("photo.jpg", 2, FORMATS["PNG"]) == "photo_x2.png"

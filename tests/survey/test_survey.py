"""A look at images before training: each fault is made by hand and must be found, and nothing else."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.survey.findings import describe_survey
from kornia_srgan.survey.look import Limits, survey_images
from kornia_srgan.survey.measure import block_steps, enlargement, luma_of_bytes
from kornia_srgan.survey.shift import measure_shift
from tests.helpers.runner import assert_user_error, invoke


def natural(height=160, width=192, seed=0):
    """A texture with as much contrast in every octave, as photographs have."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    spectrum = np.fft.fft2(rng.standard_normal((3, height, width))) / np.maximum(radius, 1 / width)
    pixels = np.fft.ifft2(spectrum).real
    pixels = pixels / pixels.std() * 40 + 128
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def moved(image, right, down):
    """An image moved by parts of a pixel, in the Fourier domain."""
    pixels = np.asarray(image, float)
    rows, columns = (np.fft.fftfreq(n) for n in pixels.shape[:2])
    turn = np.exp(-2j * np.pi * (rows[:, None] * down + columns[None] * right))[..., None]
    back = np.fft.ifft2(np.fft.fft2(pixels, axes=(0, 1)) * turn, axes=(0, 1)).real
    return Image.fromarray(back.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("kernel", ["BICUBIC", "LANCZOS"])
@pytest.mark.parametrize("factor", [2, 4])
def test_enlarged_images_are_told_from_fine_ones(factor, kernel):
    for seed in range(3):
        fine = natural(384, 384, seed)
        assert enlargement(luma_of_bytes(np.asarray(fine))) == 1
        small = fine.resize((384 // factor, 384 // factor), Image.Resampling.LANCZOS)
        large = small.resize((384, 384), Image.Resampling[kernel])
        assert enlargement(luma_of_bytes(np.asarray(large))) in (factor, factor - 1)
    assert enlargement(np.full((64, 64), 9.0)) == 1  # nothing to judge
    assert enlargement(np.zeros((8, 8))) == 1


def test_blocks_stand_out_of_hard_compressed_images(tmp_path):
    image = natural()
    assert block_steps(luma_of_bytes(np.asarray(image))) == pytest.approx(1, abs=0.05)
    image.save(tmp_path / "x.jpg", quality=15)
    assert block_steps(luma_of_bytes(np.asarray(Image.open(tmp_path / "x.jpg")))) > 1.3
    assert block_steps(np.zeros((8, 8))) == 1


@pytest.mark.parametrize(("right", "down"), [(0, 0), (2.5, -1), (-9, 6.2), (0.8, 0)])
def test_shifts_are_measured_to_a_part_of_a_pixel(right, down):
    hr = natural(384, 512)
    lr = moved(hr, right, down).resize((128, 96), Image.Resampling.BICUBIC)
    found = measure_shift(np.asarray(hr), np.asarray(lr))
    assert (found.right, found.down) == pytest.approx((right, down), abs=0.15)
    assert found.trust > 3
    assert measure_shift(np.asarray(hr), np.asarray(natural(96, 128, seed=9))).trust < 1.5


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    image = natural()
    image.save(folder / "fine.png")
    image.save(folder / "same.bmp")
    natural(seed=1).save(folder / "hard.jpg", quality=40)
    Image.open(folder / "hard.jpg").save(folder / "hidden.webp", lossless=True)
    natural(64, 200, seed=2).save(folder / "small.png")
    natural(100, 100, seed=3).resize((200, 200), Image.Resampling.BICUBIC).save(folder / "big.png")
    (folder / "broken.png").write_bytes((folder / "fine.png").read_bytes()[:3000])
    (folder / "text.jpg").write_text("no image")
    return folder


def test_every_fault_is_named_and_what_is_well_is_not(folder):
    found = survey_images([folder])
    assert {(p.kind, p.path.rpartition("/")[2]) for p in found.problems} == {
        ("unreadable", "broken.png"),
        ("unreadable", "text.jpg"),
        ("duplicate", "same.bmp"),
        ("duplicate", "hidden.webp"),
        ("compressed", "hard.jpg"),
        ("compressed", "hidden.webp"),
        ("small", "small.png"),
        ("enlarged", "big.png"),
    }
    assert len(found.pictures) == 6
    assert not [p for p in survey_images([folder], limits=Limits(crop=32)).problems if p.kind == "small"]
    text = describe_survey(found)
    assert "6 images in" in text
    assert "quality 40 to 40" in text
    assert "JPEG of quality 40" in text


def test_pairs_that_do_not_fit_are_named(tmp_path):
    for side in ("hr", "lr"):
        (tmp_path / side).mkdir()
    for seed, name in enumerate(("good", "moved", "wrong", "other", "single")):
        hr = natural(192, 256, seed=seed)
        hr.save(tmp_path / "hr" / f"{name}.png")
        small = (moved(hr, 3, 0) if name == "moved" else hr).resize((64, 48), Image.Resampling.BICUBIC)
        small = natural(48, 64, seed=77) if name == "other" else small
        small = small.crop((0, 0, 60, 48)) if name == "wrong" else small
        if name != "single":
            small.save(tmp_path / "lr" / f"{name}x4.png")
    found = survey_images([], [(tmp_path / "hr", tmp_path / "lr")])
    assert {(p.kind, p.path.rpartition("/")[2]) for p in found.problems} == {
        ("shifted", "movedx4.png"),
        ("shifted", "otherx4.png"),
        ("wrong size", "wrongx4.png"),
        ("no partner", "single.png"),
    }
    told = next(p.detail for p in found.problems if "moved" in p.path)
    assert told.startswith(("+3.0", "+2.9"))
    assert len(found.pairs) == 3


def test_the_command_writes_what_it_found(folder, tmp_path, capsys):
    sheet, report, fix = (folder / "sheet.png", tmp_path / "data.json", tmp_path / "fix.txt")
    result = invoke(capsys, "data", folder, "--sheet", sheet, "--json", report, "--fix-list", fix)
    assert result.code == 0, result.err
    assert "2 duplicate: the same pixels" in result.out
    written = json.loads(report.read_text())
    assert written["counts"]["unreadable"] == 2
    assert {p["path"] for p in written["problems"]} == set(fix.read_text().splitlines())
    image = Image.open(sheet).convert("RGB")
    reds = (np.asarray(image) == (190, 30, 30)).all(-1)
    assert reds.sum() > 500
    assert len(survey_images([folder]).pictures) == 6  # the sheet is no data


def test_what_cannot_be_looked_at(tmp_path, capsys):
    assert_user_error(invoke(capsys, "data"), "nothing to look at: give a folder")
    assert_user_error(invoke(capsys, "data", tmp_path / "none"), "does not exist")
    assert_user_error(invoke(capsys, "data", tmp_path, "--json", tmp_path), "cannot write", "it is a folder")


def test_the_number_of_threads_is_kept(tmp_path, monkeypatch, capsys):
    asked = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, count):
            asked.append(count)
            super().__init__(count)

    Image.new("RGB", (96, 96)).save(tmp_path / "a.png")
    monkeypatch.setattr("kornia_srgan.survey.look.ThreadPoolExecutor", Pool)
    monkeypatch.setattr("kornia_srgan.processor.set_threads", lambda _: None)
    assert invoke(capsys, "data", tmp_path, "--threads", "3").code == 0
    assert asked == [3]

"""The packaged estimator on a photograph of ours, damaged on purpose."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.inference.restore import STEPS, restore_amount, restore_estimator
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.weights.locate import zoo_names
from tests.helpers.snippets import ROOT

PHOTOS = ("chelsea",)


def small(name):
    """A clean LR picture: a photograph, a quarter of its size."""
    with Image.open(ROOT / f"docs/images/hr/{name}.png") as opened:
        photo = opened.convert("RGB")
    return np.asarray(photo.resize((photo.width // 4, photo.height // 4), Image.Resampling.BICUBIC))


def noisy(pixels, sigma):
    noise = np.random.default_rng(0).normal(0, sigma, pixels.shape)
    return (pixels + noise).clip(0, 255).round().astype(np.uint8)


def compressed(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


@pytest.mark.parametrize("name", PHOTOS)
def test_a_clean_picture_keeps_its_detail_and_a_damaged_one_is_cleaned(name):
    clean = small(name)
    assert restore_amount(clean) <= 0.35
    assert restore_amount(noisy(clean, 8)) >= 0.7
    assert restore_amount(compressed(clean, 50)) >= 0.8
    assert (
        restore_amount(clean) < restore_amount(compressed(clean, 90)) < restore_amount(compressed(clean, 60))
    )


@pytest.mark.parametrize("height", [32, 79, 80, 81, 84, 150])
def test_some_rows_at_a_time_see_what_the_whole_picture_shows(height):
    estimator, seen = restore_estimator(), []
    picture = torch.rand(1, 3, height, 40, generator=torch.Generator().manual_seed(0))
    hook = estimator.body.register_forward_hook(lambda _, rows, votes: seen.append((rows[0], votes)))
    try:
        with torch.inference_mode():
            estimator(picture)
            smooth = torch.nn.functional.avg_pool2d(picture, 3, 1, 1, count_include_pad=False)
            at_once = estimator.body(16 * (picture - smooth))
    finally:
        hook.remove()
    *strips, _ = seen
    torch.testing.assert_close(torch.cat([votes for _, votes in strips], dim=-2), at_once)
    assert max(rows.shape[-2] for rows, _ in strips) <= 80


def test_the_amount_is_a_step_of_the_dial_and_always_the_same():
    picture = noisy(small("chelsea"), 3)
    amount = restore_amount(picture)
    assert amount == restore_amount(picture.copy())
    assert amount * STEPS == pytest.approx(round(amount * STEPS))


def test_depth_and_grey_change_little():
    picture = noisy(small("chelsea"), 8)
    assert restore_amount(picture.astype(np.uint16) * 257) == restore_amount(picture)
    assert restore_amount(picture.astype(np.float32) / 255) == pytest.approx(
        restore_amount(picture), abs=0.06
    )
    assert restore_amount(picture.mean(axis=2, keepdims=True).round().astype(np.uint8)) >= 0.5


@pytest.mark.parametrize("size", [(1, 1), (5, 40), (40, 5)])
def test_tiny_pictures_are_read_too(size):
    assert 0 <= restore_amount(np.full((*size, 3), 128, np.uint8)) <= 1


def test_a_low_quality_in_the_file_turns_the_dial_up():
    flat = np.full((40, 40, 3), 128, np.uint8)  # shows no blocks
    assert restore_amount(flat, 40) >= 0.9
    assert restore_amount(flat, 100) == restore_amount(flat)


@pytest.mark.parametrize("weights", zoo_names())
def test_white_stays_white_and_strong_colours_stay(weights):
    colours = [
        (255, 255, 255),
        (0, 0, 0),
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 0),
        (0, 255, 255),
    ]
    # Strips give the same, and would first make sure of it for several times as long.
    upscaler = Upscaler.from_pretrained(weights, device="cpu", tile=0)
    for colour in (*colours, (255, 0, 255), (255, 128, 0), (128, 0, 255)):
        flat = np.full((24, 24, 3), colour, np.uint8)
        flat[:, :4] = 90  # an edge beside it
        side = 4 * upscaler.scale
        inside = upscaler(flat)[side:-side, 3 * side : -side].astype(int)
        most = 0 if colour == (255, 255, 255) else 2
        assert np.abs(inside - np.array(colour)).max() <= most, colour


def test_pure_noise_and_values_that_are_no_numbers_have_an_amount_too():
    noise = np.random.default_rng(0).random((20, 30, 3), np.float32)
    assert 0 <= restore_amount(noise) <= 1
    assert restore_amount(np.full((40, 40, 3), np.nan, np.float32)) == 0

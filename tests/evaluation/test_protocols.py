import numpy as np
import pytest
import torch

from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.errors import UserError
from kornia_srgan.evaluation.protocols import (
    PROTOCOLS,
    get_protocol,
    make_metrics,
    usual_metrics,
    without_unfit,
)
from tests.helpers import metrics_oracle as oracle
from tests.helpers.tolerances import about

ORACLES = {"basicsr-rgb": oracle.score_rgb, "bands": oracle.score_rgb}  # the others are on Y
BORDERS = {"ntire-y": 4}  # the others remove as many pixels as the scale


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocol_equals_its_oracle(name, scale):
    rng = np.random.default_rng(1)
    hr = rng.integers(0, 256, (44, 52, 3), dtype=np.uint8)
    sr = (hr + rng.normal(0, 9, hr.shape)) / 255  # not quantised, partly out of range
    score = ORACLES.get(name, oracle.score_y)
    border = BORDERS.get(name, scale)
    levels = sr.clip(0, 1) * 255
    quantised = levels if name == "bands" else np.floor(levels + 0.5).astype(np.uint8)
    expected = score(quantised, hr, border=border)
    tensors = [torch.from_numpy(x).permute(2, 0, 1)[None] for x in (sr, hr / 255)]
    scores = get_protocol(name).score(*tensors, scale=scale)
    assert scores["psnr"] == about(expected[0], "elementwise")
    assert scores["ssim"] == about(expected[1], "elementwise")


def test_the_border_does_not_count():
    hr = torch.rand(1, 3, 32, 32)
    sr = hr.clone()
    sr[..., :4, :] = 1 - sr[..., :4, :]
    assert get_protocol("ledig-y").score(sr, hr, scale=4)["psnr"] == float("inf")
    assert get_protocol("ledig-y").score(sr, hr, scale=2)["psnr"] < 40


def test_names_and_versions():
    assert {p.id for p in PROTOCOLS.values()} == {
        "ledig-y/v1",
        "basicsr-rgb/v1",
        "ntire-y/v1",
        "realsr/v1",
        "photo/v1",
        "bands/v1",
    }
    assert get_protocol("photo/v1") is get_protocol("photo")
    with pytest.raises(UserError, match="protocol 'photo' has no version 'v2'; this release has photo/v1"):
        get_protocol("photo/v2")
    with pytest.raises(UserError, match="unknown protocol 'ledig'; did you mean 'ledig-y'"):
        get_protocol("ledig")


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_smallest_image_can_be_scored(name, scale):
    protocol = get_protocol(name)
    side = protocol.smallest(scale)
    assert side % scale == 0  # HR is cropped to a multiple of the scale
    protocol.score(torch.rand(1, 3, side, side), torch.rand(1, 3, side, side), scale=scale)
    with pytest.raises(UserError, match="too small"):
        protocol.score(
            torch.rand(1, 3, side, side - scale), torch.rand(1, 3, side, side - scale), scale=scale
        )


def test_an_image_too_small_is_the_users_to_mend():
    with pytest.raises(UserError, match="16x16 pixels is too small"):
        get_protocol("ledig-y").score(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16), scale=4)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (RGB, ("psnr", "ssim")),
        (PixelFormat(1), ("psnr", "ssim")),  # one channel has no spectrum
        (PixelFormat(3, (0, 10000)), ("psnr", "ssim", "sam", "ergas")),
        (PixelFormat(5, (0, 1)), ("psnr", "ssim", "sam", "ergas")),
    ],
)
def test_the_usual_metrics_can_score_what_is_read(pixels, expected):
    assert usual_metrics(pixels) == expected
    assert without_unfit(make_metrics(expected), pixels.channels, None)[1] == ""

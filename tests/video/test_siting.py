"""Where colour lies between the samples of brightness: the tests' own arithmetic on a ramp of colour."""

import av
import numpy as np
import pytest

from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.run import enlarge_clip
from kornia_srgan.video.siting import assumed_siting
from tests.helpers.clips import Twice, flat_frame, make_clip

SLOPE, FIRST, LUMA = 4, 64, 110
LATE = {"left": 0.0, "topleft": 0.0, "center": 0.5}


def ramp(where, pixel_format="yuv420p"):
    """A frame whose Cb is `FIRST + SLOPE * x` at each pixel x."""
    frame = flat_frame((LUMA, 128, 128), pixel_format)
    plane = frame.planes[1]
    places = 2 * np.arange(plane.width) + LATE[where]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
    rows[:, : plane.width] = np.rint(FIRST + SLOPE * places)
    return frame


def seen_cb(pixels):
    """Cb of RGB by BT.709, limited range, at each pixel of a row."""
    r, g, b = np.moveaxis(pixels[12].astype(float) / 255, -1, 0)
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return 128 + 224 * (b - y) / 1.8556


@pytest.mark.parametrize(
    ("codec", "pixel_format", "where", "options"),
    [
        ("libx264", "yuv420p", "left", {"qp": "0", "chroma_sample_location": "left"}),
        ("libx264", "yuv420p", "topleft", {"qp": "0", "chroma_sample_location": "topleft"}),
        ("libx264", "yuv420p", "center", {"qp": "0", "chroma_sample_location": "center"}),
        ("libvpx-vp9", "yuv420p", "left", {"lossless": "1"}),  # VP9 does not say it
        ("ffv1", "yuv422p", "left", {"level": "3"}),
    ],
)
def test_colour_stays_where_it_is(tmp_path, codec, pixel_format, where, options):
    source = make_clip(
        tmp_path / "a.mkv", frames=[ramp(where, pixel_format)], pts=[0], codec=codec,
        pixel_format=pixel_format, options=options,
    )  # fmt: skip
    enlarger = Twice()
    options = VideoOptions(codec="h264", pixel_format="yuv420p", crf=0)
    enlarge_clip(source, tmp_path / "b.mkv", enlarger, options)
    x = np.arange(8, 24)
    assert abs((seen_cb(enlarger.seen[0])[x] - FIRST - SLOPE * x).mean()) < 0.4
    with av.open(str(tmp_path / "b.mkv")) as clip:
        (result,) = clip.decode(video=0)
    plane = result.planes[1]
    stored = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[12]
    # The middle of pixel 2 n of the result, where its sample n lies, is pixel n - 1/4 of the clip.
    assert abs((stored[x] - FIRST - SLOPE * (x - 0.25)).mean()) < 0.3


def test_what_a_frame_says_is_left_alone():
    central = ramp("center")
    assert assumed_siting(central, "vp9", full=False) == "left"
    assert assumed_siting(central, "vp9", full=True) == ""  # as photographs
    assert assumed_siting(central, "theora", full=False) == ""
    assert assumed_siting(flat_frame((1, 2, 3), "yuv444p"), "vp9", full=False) == ""

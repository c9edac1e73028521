"""Errors of clips say which file or option, besides in their message."""

from fractions import Fraction

import pytest

from kornia_srgan.errors import UserError
from kornia_srgan.video import mux
from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.run import enlarge_clip
from tests.helpers.clips import Twice, flat_frame, make_clip, quick


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"codec": "h269"}, "codec"),
        ({"codec": "aac"}, "codec"),
        ({"codec": "prores", "crf": 20}, "crf"),
        ({"codec": "h264", "pixel_format": "gbrap16le"}, "pixel_format"),
        ({"start": Fraction(9)}, "a.mp4"),
    ],
)
def test_the_file_or_option_is_named(tmp_path, options, where):
    source = make_clip(tmp_path / "a.mp4", pts=[0])
    with pytest.raises(UserError) as caught:
        enlarge_clip(source, tmp_path / "b.mp4", Twice(), VideoOptions(**options))
    assert caught.value.where == (str(source) if where == "a.mp4" else where)


def test_a_clip_of_colours_that_are_not_supported_is_named(tmp_path):
    frame = flat_frame((81, 90, 240), "yuv420p")
    constant_luminance = (9, 14, 10, 1)
    source = make_clip(tmp_path / "a.mkv", frames=[frame], pts=[0], tags=constant_luminance)
    with pytest.raises(UserError, match="not supported") as caught:
        enlarge_clip(source, tmp_path / "b.mkv", Twice(), quick())
    assert caught.value.where == str(source)


def test_hdr_as_pictures_names_the_pictures(tmp_path):
    source = make_clip(tmp_path / "a.mp4", pts=[0], tags=(9, 16, 9, 1))
    target = tmp_path / "%05d.png"
    with pytest.raises(UserError, match="HDR") as caught:
        enlarge_clip(source, target, Twice())
    assert caught.value.where == str(target)


def test_a_result_without_all_frames_is_named(tmp_path, monkeypatch):
    source, target = make_clip(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    video = mux._video
    monkeypatch.setattr(mux, "_video", lambda *given: list(video(*given))[:-1])
    with pytest.raises(UserError, match="7 frames instead of 8") as caught:
        enlarge_clip(source, target, Twice(), quick())
    assert caught.value.where == str(target)
    assert not target.exists()

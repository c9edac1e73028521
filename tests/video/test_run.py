"""What the network is given and what becomes of it: times, colours, sides, and runs that were stopped."""

import os
import signal
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from kornia_srgan.errors import ImageError, UserError
from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.run import enlarge_clip
from kornia_srgan.video.segments import parts_folder
from tests.helpers.clips import (
    CHAPTERS,
    UNEVEN,
    Twice,
    codes,
    decoded,
    flat_frame,
    gradient,
    make_clip,
    packets_of,
    quick,
    times,
)
from tests.helpers.forked_ranks import exit_code, start


def test_frames_are_the_enlarged_frames(tmp_path):
    source = make_clip(tmp_path / "a.mp4", aspect=None)
    enlarge_clip(source, tmp_path / "b.mp4", Twice(), quick(crf=1, pixel_format="yuv444p"))
    frames = list(zip(decoded(source), decoded(tmp_path / "b.mp4"), strict=True))
    assert frames
    for before, after in frames:
        assert np.abs(before.repeat(2, 0).repeat(2, 1).astype(int) - after).mean() < 2.5


@pytest.mark.parametrize(
    ("pixel_format", "bits", "tags"),
    [
        ("yuv420p", 8, (1, 1, 1, 1)),
        ("yuv420p", 8, (6, 6, 6, 1)),
        ("yuv444p", 8, (5, 6, 5, 2)),
        ("yuv420p10le", 10, (9, 14, 9, 1)),
        ("yuv422p10le", 10, (1, 1, 1, 2)),
    ],
)
def test_colours_are_right_on_both_sides(tmp_path, pixel_format, bits, tags):
    """What the network sees is the colour that the codes mean; what is written means it again."""
    rgb = np.array([0.8, 0.35, 0.1])
    values = codes(rgb, tags[2], tags[3] == 2, bits)
    frame = flat_frame(values, pixel_format)
    source = make_clip(
        tmp_path / "a.mkv",
        frames=[frame],
        pts=[0],
        pixel_format=pixel_format,
        tags=tags,
        codec="ffv1",
        options={},
    )
    enlarger = Twice()
    enlarge_clip(source, tmp_path / "b.mkv", enlarger, VideoOptions(codec="ffv1"))
    (seen,) = enlarger.seen
    white = 255 if bits == 8 else 65535
    assert seen.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert np.abs(seen / white - rgb).max() < 1.2 / 255
    with av.open(str(tmp_path / "b.mkv")) as clip:
        (result,) = clip.decode(video=0)
        assert result.format.name == pixel_format
        assert (result.color_primaries, result.color_trc, result.colorspace, result.color_range) == tags
        for plane, value in zip(result.planes, values, strict=True):
            stored = np.frombuffer(plane, np.uint8 if bits == 8 else np.uint16)
            row = stored.reshape(plane.height, -1)[:, : plane.width].astype(int)
            assert np.abs(row - value).max() <= 1


def test_a_small_clip_without_tags_does_not_change_colour_when_it_is_large(tmp_path):
    source = make_clip(
        tmp_path / "a.mp4", tags=(2, 2, 2, 1), frames=[flat_frame((81, 90, 240), "yuv420p")], pts=[0]
    )
    enlarger = Twice()
    outcome = enlarge_clip(source, tmp_path / "b.mp4", enlarger, quick())
    assert np.abs(enlarger.seen[0][5, 5].astype(int) - (255, 0, 0)).max() <= 3  # red, by BT.601
    assert "taken as BT.601" in outcome.notes[0]
    with av.open(str(tmp_path / "b.mp4")) as clip:
        assert next(clip.decode(video=0)).colorspace == 6


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30), lambda a: np.rot90(a, -1)),
        ((-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30), lambda a: np.rot90(a, 2)),
        ((0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30), lambda a: np.rot90(a, 1)),
        ((-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), lambda a: a[:, ::-1]),
    ],
)
def test_a_turned_clip_comes_out_upright(tmp_path, matrix, turn):
    source = make_clip(tmp_path / "a.mp4", pts=[0], matrix=matrix, aspect=Fraction(4, 3))
    enlarger = Twice()
    outcome = enlarge_clip(source, tmp_path / "b.mp4", enlarger, quick())
    assert np.abs(enlarger.seen[0].astype(int) - turn(gradient(0))).mean() < 6
    assert outcome.notes == ("it is stored turned: the result is upright",)
    with av.open(str(tmp_path / "b.mp4")) as clip:
        sideways = enlarger.seen[0].shape[0] == 32
        assert clip.streams.video[0].sample_aspect_ratio == (Fraction(3, 4) if sideways else Fraction(4, 3))
        assert next(clip.decode(video=0)).rotation == 0


def test_interlaced_frames_are_deinterlaced_and_keep_their_times(tmp_path):
    source = make_clip(tmp_path / "a.mkv", interlaced=True, pts=(0, 512, 1024, 1536))
    outcome = enlarge_clip(source, tmp_path / "b.mkv", Twice(), quick())
    assert "it is interlaced: deinterlaced by bwdif" in outcome.notes[0]
    assert times(tmp_path / "b.mkv") == times(source)
    outcome = enlarge_clip(source, tmp_path / "c.mkv", Twice(), quick(deinterlace=False))
    assert "its lines are enlarged as they are" in outcome.notes[0]


def test_a_frame_that_is_repeated_is_computed_once(tmp_path):
    frames = [gradient(n) for n in (0, 0, 0, 1, 1, 0)]
    source = make_clip(
        tmp_path / "a.mkv", frames=frames, pts=[512 * n for n in range(6)], codec="ffv1", options={}
    )
    enlarger = Twice()
    outcome = enlarge_clip(source, tmp_path / "b.mkv", enlarger, quick())
    assert (outcome.frames, outcome.computed, len(enlarger.seen)) == (6, 3, 3)
    assert len(times(tmp_path / "b.mkv")) == 6


def test_start_and_end(tmp_path):
    source = make_clip(tmp_path / "a.mp4", sound=True, chapters=CHAPTERS)
    options = quick(start=Fraction("0.08"), end=Fraction("0.2"))
    enlarger = Twice()
    enlarge_clip(source, tmp_path / "b.mp4", enlarger, options)
    assert times(tmp_path / "b.mp4") == [0, Fraction(1, 25), Fraction(2, 25)]
    assert abs(int(enlarger.seen[0][20, 20, 2]) - int(gradient(2)[20, 20, 2])) <= 3
    sound = packets_of(tmp_path / "b.mp4", "audio")
    assert 0 <= sound[0][0] < Fraction(3, 100)
    assert {data for _, data in sound} <= {data for _, data in packets_of(source, "audio")}
    with av.open(str(tmp_path / "b.mp4")) as clip:
        assert [c["metadata"]["title"] for c in clip.chapters()] == ["One", "Two"]
    with pytest.raises(UserError, match="no frame"):
        enlarge_clip(source, tmp_path / "c.mp4", Twice(), quick(start=Fraction(9)))


@pytest.mark.parametrize("steady", [0.0, 1.0])
def test_a_stopped_run_goes_on_and_gives_the_same_file(tmp_path, steady):
    source = make_clip(tmp_path / "a.mp4", pts=UNEVEN, sound=True)
    options = quick(segment=0.08, steady=steady)
    target = tmp_path / "b.mp4"
    length = 2
    with pytest.raises(KeyboardInterrupt):
        enlarge_clip(source, target, Twice(stop_at=5), options)
    assert not target.exists()
    with pytest.raises(UserError, match="--resume continues"):
        enlarge_clip(source, target, Twice(), options)
    with pytest.raises(UserError, match="other steady than before"):
        enlarge_clip(source, target, Twice(), quick(segment=0.08, resume=True, steady=0.5))
    rest = Twice()
    outcome = enlarge_clip(source, target, rest, quick(segment=0.08, resume=True, steady=steady))
    assert outcome.frames == 8
    assert len(rest.seen) <= 8 - 5 + length + 1
    enlarge_clip(source, tmp_path / "whole.mp4", Twice(), options)
    assert target.read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_kill_loses_one_segment_at_most(tmp_path):
    source = make_clip(tmp_path / "a.mp4")
    target = tmp_path / "b.mp4"

    def look(progress):
        while progress.done == 7 and len(list(parts_folder(target).glob("[0-9]*.segment"))) < 3:
            time.sleep(0.01)
        if progress.done == 7:
            os.kill(os.getpid(), signal.SIGKILL)

    killed = start(lambda: enlarge_clip(source, target, Twice(), quick(segment=0.08), on_frame=look))
    assert exit_code(killed) == -signal.SIGKILL
    assert not target.exists()
    rest = Twice()
    enlarge_clip(source, target, rest, quick(segment=0.08, resume=True))
    assert len(rest.seen) == 2
    assert len(times(target)) == 8


def test_what_is_no_clip_is_said_in_one_line(tmp_path):
    (tmp_path / "a.mp4").write_text("hello")
    with pytest.raises(ImageError, match="cannot be read as a video"):
        enlarge_clip(tmp_path / "a.mp4", tmp_path / "b.mp4", Twice())
    with pytest.raises(FileNotFoundError, match="no such file"):
        enlarge_clip(tmp_path / "none.mp4", tmp_path / "b.mp4", Twice())
    source = make_clip(tmp_path / "c.mp4", pts=[0])
    with pytest.raises(UserError, match="no encoder 'h269'"):
        enlarge_clip(source, tmp_path / "b.mp4", Twice(), VideoOptions(codec="h269"))
    with pytest.raises(UserError, match="would be overwritten"):
        enlarge_clip(source, source, Twice())

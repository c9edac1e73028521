import json
import shutil
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from kornia_srgan.errors import ImageError, UserError
from kornia_srgan.video.hdr import light_of
from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.run import enlarge_clip
from kornia_srgan.video.segments import parts_folder
from tests.helpers.clips import (
    TICK,
    UNEVEN,
    Twice,
    codes,
    decoded,
    flat_frame,
    gradient,
    make_clip,
    packets_of,
    times,
)

QUICK = {"preset": "ultrafast", "crf": 8}
CHAPTERS = ((0, 100, "One"), (100, 320, "Two"))


def quick(**options):
    return VideoOptions(**{**QUICK, **options})


def test_times_sound_and_all_else_are_kept(tmp_path):
    source = make_clip(
        tmp_path / "a.mp4", pts=UNEVEN, sound=True, title="A clip", chapters=CHAPTERS, aspect=Fraction(4, 3)
    )
    target = tmp_path / "b.mp4"
    outcome = enlarge_clip(source, target, Twice(), quick())
    assert (outcome.frames, outcome.size, outcome.notes) == (8, (48, 64), ())
    assert times(target) == [pts * TICK for pts in UNEVEN]
    assert packets_of(target, "audio") == packets_of(source, "audio")
    with av.open(str(source)) as a, av.open(str(target)) as b:
        assert [(c["start"], c["end"], c["metadata"]) for c in a.chapters()] == [
            (c["start"], c["end"], c["metadata"]) for c in b.chapters()
        ]
        assert b.metadata["title"] == "A clip"
        assert b.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
    assert not parts_folder(target).exists()


def test_frames_are_the_enlarged_frames(tmp_path):
    source = make_clip(tmp_path / "a.mp4", aspect=None)
    enlarge_clip(source, tmp_path / "b.mp4", Twice(), quick(crf=1, pixel_format="yuv444p"))
    frames = list(zip(decoded(source), decoded(tmp_path / "b.mp4"), strict=True))
    assert frames
    for before, after in frames:
        assert np.abs(before.repeat(2, 0).repeat(2, 1).astype(int) - after).mean() < 2.5


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")
def test_ffprobe_sees_what_was_written(tmp_path):
    source = make_clip(
        tmp_path / "a.mp4",
        sound=True,
        tags=(9, 16, 9, 1),
        pixel_format="yuv420p10le",
        codec="libx265",
        options={"x265-params": "log-level=error"},
    )
    enlarge_clip(source, tmp_path / "b.mp4", Twice(), quick(crf=20))
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(tmp_path / "b.mp4")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    film, sound = json.loads(told.stdout)["streams"]
    assert (film["codec_name"], film["pix_fmt"], film["nb_read_frames"]) == ("hevc", "yuv420p10le", "8")
    assert (film["color_transfer"], film["color_primaries"], film["color_space"]) == (
        "smpte2084", "bt2020", "bt2020nc",
    )  # fmt: skip
    assert (film["color_range"], float(film["start_time"]), film["avg_frame_rate"]) == ("tv", 0, "25/1")
    assert sound["codec_name"] == "aac"


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
    assert abs(int(enlarger.seen[0][20, 20, 2]) - gradient(2)[20, 20, 2]) <= 3
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
    script = (
        "import os, signal, sys, time\n"
        "from tests.helpers.clips import Twice\n"
        "from kornia_srgan.video.options import VideoOptions\n"
        "from kornia_srgan.video.run import enlarge_clip\n"
        "from kornia_srgan.video.segments import parts_folder\n"
        "from pathlib import Path\n"
        "target = Path(sys.argv[2])\n"
        "def look(progress):\n"
        "    while progress.done == 7 and len(list(parts_folder(target).glob('[0-9]*.segment'))) < 3:\n"
        "        time.sleep(0.01)\n"
        "    if progress.done == 7:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "options = VideoOptions(segment=0.08, preset='ultrafast', crf=8)\n"
        "enlarge_clip(sys.argv[1], target, Twice(), options, on_frame=look)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(source), str(target)], check=False)
    assert done.returncode == -9
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


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_subtitles_attachments_and_hdr_marks(tmp_path):
    (tmp_path / "s.srt").write_text("1\n00:00:00,000 --> 00:00:00,100\nHello\n")
    (tmp_path / "f.ttf").write_text("font")
    light = "hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    source = tmp_path / "a.mkv"
    make = (
        "ffmpeg -v error -f lavfi -i testsrc2=s=64x48:r=25:d=0.12 -i s.srt -map 0 -map 1 -c:v libx265 "
        f"-x265-params log-level=error:{light}:max-cll=1000,400 -pix_fmt yuv420p10le -color_primaries bt2020 "
        "-color_trc smpte2084 -colorspace bt2020nc -c:s srt "
        "-attach f.ttf -metadata:s:t mimetype=font/ttf a.mkv"
    )
    subprocess.run(make.split(), cwd=tmp_path, check=True)
    outcome = enlarge_clip(source, tmp_path / "b.mkv", Twice(), quick())
    assert outcome.notes == ("it is HDR (PQ): enlarged as stored, marks kept",)
    assert packets_of(tmp_path / "b.mkv", "subtitle") == packets_of(source, "subtitle")
    with av.open(str(source)) as a, av.open(str(tmp_path / "b.mkv")) as b:
        (attached,) = (s for s in b.streams if s.type == "attachment")
        assert (attached.mimetype, bytes(attached.data)) == ("font/ttf", b"font")
        assert light_of(next(b.decode(video=0))) == light_of(next(a.decode(video=0)))
        assert light_of(next(a.decode(video=0))).content == "1000,400"
    outcome = enlarge_clip(source, tmp_path / "b.mp4", Twice(), quick())
    assert [note for note in outcome.notes if "left out" in note] == [
        "left out: subtitles (srt), not for mp4",
        "left out: an attachment, not for mp4",
    ]


def test_what_has_no_place_is_named(tmp_path):
    source = make_clip(tmp_path / "a.mp4", pts=UNEVEN, sound=True)
    outcome = enlarge_clip(source, tmp_path / "b.mkv", Twice(), quick())
    assert any("times of frames are rounded" in note for note in outcome.notes)
    assert len(times(tmp_path / "b.mkv")) == 8
    outcome = enlarge_clip(source, tmp_path / "c.webm", Twice(), VideoOptions(crf=40))
    assert any(note.startswith("left out: sound (aac)") for note in outcome.notes)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cover_picture_is_kept_bit_for_bit(tmp_path, suffix):
    make_clip(tmp_path / "plain.mp4", pts=[0], title="A clip", chapters=CHAPTERS)
    line = (
        "ffmpeg -v error -i plain.mp4 -f lavfi -i color=red:s=16x16:d=0.04 -map 0:v -map 1 -c:v:0 copy "
        "-c:v:1 png -map_chapters 0 -disposition:v:1 attached_pic a.mp4"
    )
    subprocess.run(line.split(), cwd=tmp_path, check=True)
    enlarge_clip(tmp_path / "a.mp4", tmp_path / f"b{suffix}", Twice(), quick())
    covers = []
    for path in (tmp_path / "a.mp4", tmp_path / f"b{suffix}"):
        with av.open(str(path)) as clip:
            cover = clip.streams.video[1]
            assert cover.disposition & Disposition.attached_pic
            covers.append([bytes(packet) for packet in clip.demux(cover) if packet.size])
    assert covers[0] == covers[1] != []


def test_a_clip_that_is_cut_off_says_so(tmp_path):
    pts = [512 * n for n in range(50)]
    whole = make_clip(tmp_path / "a.mp4", pts=pts, options={"crf": "30", "g": "5"})
    target = tmp_path / "b.mkv"
    enlarge_clip(whole, target, Twice(), quick())
    data = target.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    assert not any(
        "cut off" in note for note in enlarge_clip(target, tmp_path / "c.mkv", Twice(), quick()).notes
    )
    outcome = enlarge_clip(tmp_path / "cut.mkv", tmp_path / "d.mkv", Twice(), quick())
    assert outcome.frames < 45
    assert any("it may be cut off" in note for note in outcome.notes)


@pytest.mark.parametrize(
    ("codec", "decoder", "suffix"),
    [
        ("av1", "libdav1d", ".mp4"),
        ("av1", "libdav1d", ".webm"),
        ("vp9", "vp9", ".webm"),
        ("prores", "prores", ".mov"),
    ],
)
def test_other_codecs_out_and_in(tmp_path, codec, decoder, suffix):
    source = make_clip(tmp_path / "a.mp4", pts=UNEVEN[:4])
    first, second = tmp_path / f"b{suffix}", tmp_path / "c.mp4"
    preset = "12" if codec == "av1" else None
    assert enlarge_clip(source, first, Twice(), VideoOptions(codec=codec, preset=preset)).frames == 4
    with av.open(str(first)) as clip:
        assert clip.streams.video[0].codec_context.name == decoder
    enlarge_clip(first, second, Twice(), quick())
    assert len(times(second)) == 4
    if suffix != ".webm":  # whose times are in milliseconds
        assert times(second) == times(first) == times(source)
    for before, after in zip(decoded(source), decoded(second), strict=True):
        assert np.abs(before.repeat(4, 0).repeat(4, 1).astype(int) - after).mean() < 4

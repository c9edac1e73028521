"""The file that is written: its codec, and what it keeps of the clip's besides the frames."""

import json
import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from kornia_srgan.video.hdr import light_of
from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.run import enlarge_clip
from kornia_srgan.video.segments import parts_folder
from tests.helpers.clips import (
    CHAPTERS,
    TICK,
    UNEVEN,
    Twice,
    decoded,
    make_clip,
    packets_of,
    quick,
    times,
)


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

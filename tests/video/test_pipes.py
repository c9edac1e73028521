"""Numbered pictures and y4m streams, in and out."""

import io
import shutil
import subprocess
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.batch.sources import find_sources
from kornia_srgan.errors import UserError
from kornia_srgan.photos.outputs import MARK
from kornia_srgan.video.options import VideoOptions
from kornia_srgan.video.run import enlarge_clip
from tests.helpers.clips import Twice, gradient, make_clip, times


def doubled(pixels):
    return pixels.repeat(2, 0).repeat(2, 1)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(gradient(number)).save(folder / f"{number + 7:04}.png")
    return folder / "%04d.png"


def test_pictures_to_pictures_lose_nothing(tmp_path, pictures):
    outcome = enlarge_clip(pictures, tmp_path / "large" / "%04d.png", Twice())
    assert (outcome.frames, outcome.notes) == (4, ())
    for number in range(4):
        result = np.asarray(Image.open(tmp_path / "large" / f"{number + 7:04}.png"))
        assert np.array_equal(result, doubled(gradient(number)))


def test_pictures_go_on_where_they_stopped(tmp_path, pictures):
    target = tmp_path / "large" / "%04d.png"
    with pytest.raises(KeyboardInterrupt):
        enlarge_clip(pictures, target, Twice(stop_at=3))
    rest = Twice()
    assert enlarge_clip(pictures, target, rest, VideoOptions(resume=True)).frames == 4
    assert 1 <= len(rest.seen) <= 3
    assert np.array_equal(np.asarray(Image.open(tmp_path / "large" / "0010.png")), doubled(gradient(3)))


def test_pictures_of_other_weights_are_not_mixed(tmp_path, pictures):
    target = tmp_path / "large" / "%04d.png"
    with pytest.raises(KeyboardInterrupt):
        enlarge_clip(pictures, target, Twice(stop_at=3), identity={"weights": "a"})
    again = VideoOptions(resume=True)
    with pytest.raises(UserError, match="other weights than before"):
        enlarge_clip(pictures, target, Twice(), again, identity={"weights": "b"})
    assert enlarge_clip(pictures, target, Twice(), again, identity={"weights": "a"}).frames == 4
    assert sorted(p.name for p in target.parent.iterdir() if p.suffix != ".png") == [MARK]


def test_pictures_are_not_taken_for_photographs_later(tmp_path, pictures):
    """Neither in a folder of their own nor among the pictures that they were made of."""
    enlarge_clip(pictures, tmp_path / "large" / "%04d.png", Twice())
    enlarge_clip(pictures, pictures.parent / "large_%04d.png", Twice())
    found = find_sources([str(tmp_path)], recursive=True).files
    assert sorted(source.path.name for source in found) == [f"{n:04}.png" for n in range(7, 11)]
    assert {source.path.parent for source in found} == {pictures.parent}


def test_deep_pictures_stay_deep(tmp_path):
    from kornia_srgan.photos.encode import write_rasters
    from kornia_srgan.photos.photo import Frame, Metadata, raster_of

    deep = gradient(0).astype(np.uint16) * 257 + 3
    write_rasters(tmp_path / "1.png", [raster_of(Frame(deep), "RGB")], Metadata())
    enlarger = Twice()
    enlarge_clip(tmp_path / "%d.png", tmp_path / "b.mp4", enlarger, VideoOptions(preset="ultrafast"))
    assert np.array_equal(enlarger.seen[0], deep)


def test_pictures_to_a_clip_of_a_rate(tmp_path, pictures):
    rate = Fraction(30000, 1001)
    outcome = enlarge_clip(pictures, tmp_path / "b.mp4", Twice(), VideoOptions(rate=rate, preset="ultrafast"))
    assert times(tmp_path / "b.mp4") == [n / rate for n in range(4)]
    assert any("half resolution" in note for note in outcome.notes)


def test_a_clip_to_pictures_names_what_is_lost(tmp_path):
    source = make_clip(tmp_path / "a.mp4", sound=True)
    outcome = enlarge_clip(source, tmp_path / "%03d.png", Twice())
    assert outcome.notes == ("left out, without a place there: sound",)
    assert len(list(tmp_path.glob("*.png"))) == 8
    hdr = make_clip(
        tmp_path / "h.mkv", tags=(9, 16, 9, 1), pixel_format="yuv420p10le", codec="ffv1", options={}
    )
    with pytest.raises(UserError, match="cannot hold HDR"):
        enlarge_clip(hdr, tmp_path / "h%03d.png", Twice())


def y4m(frames, form="C420jpeg XCOLORRANGE=LIMITED"):
    """A stream of flat frames, byte by byte: each is (Y, Cb, Cr)."""
    head = f"YUV4MPEG2 W32 H24 F24000:1001 Ip A1:1 {form}\n".encode()
    one = b"".join(
        b"FRAME\n" + bytes([y]) * 768 + bytes([cb]) * 192 + bytes([cr]) * 192 for y, cb, cr in frames
    )
    return head + one


def test_y4m_in_and_out(tmp_path):
    codes = [(100, 90, 200), (100, 90, 200), (50, 128, 128)]
    out = io.BytesIO()
    enlarger = Twice()
    outcome = enlarge_clip(io.BytesIO(y4m(codes)), out, enlarger, label="stdin")
    assert (outcome.frames, outcome.computed) == (3, 2)
    head, _, body = out.getvalue().partition(b"\n")
    assert head == b"YUV4MPEG2 W64 H48 F24000:1001 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED"
    frames = body.split(b"FRAME\n")[1:]
    assert [len(frame) for frame in frames] == [64 * 48 * 3 // 2] * 3
    for frame, (y, cb, cr) in zip(frames, codes, strict=True):
        planes = np.frombuffer(frame, np.uint8).astype(int)
        assert np.abs(planes[:3072] - y).max() <= 1
        assert np.abs(planes[3072:3840] - cb).max() <= 1
        assert np.abs(planes[3840:] - cr).max() <= 1


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_ffmpeg_reads_the_stream(tmp_path):
    source = make_clip(
        tmp_path / "a.mkv", pixel_format="yuv422p10le", codec="ffv1", options={}, tags=(1, 1, 1, 2)
    )
    out = io.BytesIO()
    enlarge_clip(source, out, Twice())
    told = subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "yuv4mpegpipe", "-i", "-", "-f", "framecrc", "-"],
        input=out.getvalue(), capture_output=True, check=True,
    )  # fmt: skip
    lines = [line for line in told.stdout.decode().splitlines() if not line.startswith("#")]
    assert len(lines) == 8
    assert all(line.split(",")[4].strip() == str(64 * 48 * 4) for line in lines)  # 4:2:2 in 16 bits

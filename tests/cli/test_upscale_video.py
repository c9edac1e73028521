import json
from importlib.util import find_spec

import pytest

from kornia_srgan.cli.clip_options import identity_of
from kornia_srgan.cli.upscale_video import clip_targets, split_clips
from kornia_srgan.errors import ArgumentError, UserError
from kornia_srgan.video.options import is_clip, parse_pairs, parse_rate, parse_time
from tests.helpers.extras import pretend_missing
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.tiny_weights import save_tiny_weights

pytestmark = pytest.mark.skipif(find_spec("av") is None, reason="needs the extra 'video'")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_tiny_weights(tmp_path_factory.mktemp("weights"))


def test_clips_and_pictures_in_one_command(capsys, tmp_path, weights):
    from PIL import Image

    from tests.helpers.clips import EVEN, make_clip, times

    make_clip(tmp_path / "a.mp4", pts=EVEN[:3])
    (tmp_path / "bad.mkv").write_text("hello")
    Image.new("RGB", (6, 5)).save(tmp_path / "p.png")
    inputs = [tmp_path / name for name in ("a.mp4", "bad.mkv", "p.png")]
    result = invoke(
        capsys, "upscale", *inputs, "-o", tmp_path / "out",
        "--weights", weights, "--json", tmp_path / "r.json", "--scale", 1.5, "--preset", "ultrafast",
    )  # fmt: skip
    assert result.code == 3
    assert "1 of 3 files failed" in result.err
    assert "bad.mkv' cannot be read as a video" in result.err
    assert len(times(tmp_path / "out" / "a_x1.5.mp4")) == 3
    assert (tmp_path / "out" / "p_x1.5.png").is_file()
    clips = json.loads((tmp_path / "r.json").read_text())["clips"]
    assert [c["status"] for c in clips] == ["done", "failed"]
    assert (clips[0]["size"], clips[0]["frames"]) == ([48, 36], 3)


def test_a_dial_is_set_once_and_said(capsys, tmp_path):
    from tests.helpers.clips import EVEN, make_clip

    make_clip(tmp_path / "a.mp4", pts=EVEN[:2], options={"crf": "40", "preset": "veryfast"})
    result = invoke(capsys, "upscale", tmp_path / "a.mp4", "-o", tmp_path / "b.mp4", "--preset", "ultrafast")
    assert result.code == 0
    assert result.err.count("restore ") == 1
    assert "for the whole clip" in result.err


def test_a_folder_names_its_videos(capsys, tmp_path, weights):
    from PIL import Image

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.mp4").write_text("")
    Image.new("RGB", (4, 4)).save(tmp_path / "in" / "p.png")
    result = invoke(capsys, "upscale", tmp_path / "in", "-o", tmp_path / "out", "--weights", weights)
    assert result.code == 0
    assert "a.mp4 (a video: give it by name to enlarge it)" in result.err


def test_mistakes_are_one_line(capsys, tmp_path, weights):
    line = ("upscale", tmp_path / "none.mp4", "-o", tmp_path / "out")
    assert_user_error(invoke(capsys, *line, "--weights", weights), "no such file")
    assert_user_error(invoke(capsys, *line, "--start", "soon"), "is not a time")
    assert_user_error(invoke(capsys, *line, "--start", "3", "--end", "2"), "--end must come after")
    assert_user_error(invoke(capsys, *line, "--encoder-option", "x"), "name=value")


def test_a_missing_extra_is_named(capsys, tmp_path, monkeypatch):
    pretend_missing(monkeypatch, "av")
    result = invoke(capsys, "upscale", tmp_path / "a.mp4", "-o", tmp_path / "out")
    assert_user_error(result, "a video needs av", "kornia-srgan[video]")


def test_where_results_go(tmp_path):
    from kornia_srgan.batch.naming import Naming

    def names(*texts, output=tmp_path, container=None):
        return [p.name for p in clip_targets(texts, output, Naming("x4", 4), container)]

    assert names("a.mp4", "b.MOV", "c.avi", "d.m4v") == ["a_x4.mp4", "b_x4.mov", "c_x4.mkv", "d_x4.mp4"]
    assert names("a.mp4", "a.m4v") == ["a_x4.mp4", "a_x4-2.mp4"]
    assert names("walk/%04d.png") == ["walk_x4.mp4"]
    assert names("a.avi", container="mp4") == ["a_x4.mp4"]
    assert names("a.avi", output=tmp_path / "b.mp4") == ["b.mp4"]
    with pytest.raises(UserError, match="one result"):
        names("a.mp4", "b.mp4", output=tmp_path / "b.mp4")
    with pytest.raises(UserError, match="not a container"):
        names("a.mp4", container="png")


def test_weights_are_known_by_their_content(tmp_path):
    from kornia_srgan.inference.recipe import Recipe

    path = tmp_path / "w.safetensors"
    found = []
    for content in (b"one", b"two", b"one"):
        path.write_bytes(content)
        found.append(identity_of(Recipe(path)))
    assert found[0] == found[2] != found[1]
    assert identity_of(Recipe()) != identity_of(Recipe("edsr-x4"))
    assert identity_of(Recipe()) != identity_of(Recipe(sharp=0.5))


def test_format_names_a_container(capsys, tmp_path, weights):
    from tests.helpers.clips import EVEN, make_clip, times

    make_clip(tmp_path / "a.mp4", pts=EVEN[:2])
    line = ("upscale", tmp_path / "a.mp4", "-o", tmp_path / "out", "--weights", weights)
    assert invoke(capsys, *line, "--format", "mkv", "--preset", "ultrafast").code == 0
    assert len(times(tmp_path / "out" / "a_x4.mkv")) == 2
    assert_user_error(invoke(capsys, *line, "--format", "webp"), "is for pictures", "%05d.webp")
    assert_user_error(invoke(capsys, *line, "--format", "mpg5"), "unknown format")


def test_what_is_a_clip(tmp_path, monkeypatch):
    assert is_clip("a.MP4")
    assert is_clip("x/%05d.png")
    assert not is_clip("a.png")
    assert not is_clip("a.gif")
    for name in ("b.mp4", "a.mp4"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert split_clips(["*.mp4", "p.png", "a.mp4"]) == (["a.mp4", "b.mp4"], ["p.png"])


def test_times_and_rates_are_exact():
    from fractions import Fraction

    assert parse_time("1:02:03.25") == Fraction(372325, 100)
    assert parse_time("12.1") == Fraction(121, 10)
    assert parse_rate("30000/1001") == Fraction(30000, 1001)
    assert parse_pairs(["a=b=c"]) == {"a": "b=c"}
    for parse, wrong in ((parse_time, "x"), (parse_rate, "0"), (parse_rate, "1/0"), (parse_pairs, ["=b"])):
        with pytest.raises(ArgumentError):
            parse(wrong)

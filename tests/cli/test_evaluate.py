import csv
import json

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.weights.locate import CLEAN_WEIGHTS, zoo_names
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.tiny_weights import save_tiny_weights


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "photos"
    data.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        small.resize((44, 40), Image.Resampling.BICUBIC).save(data / f"{name}.png")
    return data


@pytest.fixture
def weights(tmp_path):
    return save_tiny_weights(tmp_path, "mine")


def models(shown):
    """The names in the first column of a Markdown table."""
    assert shown.code == 0, shown.err
    return [line.split("|")[1].strip() for line in shown.out.splitlines()[2:]]


def test_without_weights_the_default_ones_are_scored(capsys, folder):
    shown = invoke(capsys, "evaluate", "--data", folder)
    assert shown.code == 0, shown.err
    assert "bicubic" in shown.out
    assert CLEAN_WEIGHTS in shown.out
    assert "ledig-y/v1" in shown.out


def test_without_weights_a_scale_chooses(capsys, folder):
    shown = invoke(capsys, "evaluate", "--data", folder, "--scale", 2, "--markdown")
    assert models(shown) == ["bicubic", *(n for n in zoo_names() if n.endswith("x2"))]
    shown = invoke(capsys, "evaluate", "--data", folder, "--scale", 3, "--markdown")
    assert models(shown) == ["bicubic"]
    assert "no weights of x3 are packaged" in shown.err


def test_bicubic_row_alone(capsys, folder):
    shown = invoke(capsys, "evaluate", "--data", folder, "--weights", "bicubic", "--markdown")
    assert models(shown) == ["bicubic"]


def test_images_of_another_tool(capsys, folder):
    shown = invoke(capsys, "evaluate", "--data", folder, "--images", f"perfect={folder}", "--markdown")
    assert models(shown) == ["bicubic", "perfect"]
    assert "inf / 1.0000" in shown.out
    for text, word in (("perfect", "expected NAME=DIR"), (f"bicubic={folder}", "another name")):
        assert_user_error(invoke(capsys, "evaluate", "--data", folder, "--images", text), word)
    twice = ["--images", f"a={folder}"] * 2
    assert_user_error(invoke(capsys, "evaluate", "--data", folder, *twice), "given twice")


def test_several_sets_and_levels(capsys, folder, tmp_path):
    other = tmp_path / "more"
    other.mkdir()
    (other / "a.png").write_bytes((folder / "a.png").read_bytes())
    arguments = ("--data", folder, "--data", other, "--weights", "bicubic", "--metric", "psnr", "--markdown")
    shown = invoke(capsys, "evaluate", *arguments, "--protocol", "photo/v1")
    heading = shown.out.splitlines()[0]
    assert heading.startswith("| model | scale | photos clean PSNR | photos q90 PSNR |")
    assert heading.endswith("| more n8 PSNR |")


def test_a_known_set_that_is_not_here(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert_user_error(invoke(capsys, "evaluate", "--data", "Urban100"), "Urban100 was not found", "http")


def test_notes_go_to_stderr(capsys, folder):
    (folder.parent / "Set5").mkdir()
    (folder.parent / "Set5/a.png").write_bytes((folder / "a.png").read_bytes())
    shown = invoke(capsys, "evaluate", "--data", folder.parent / "Set5", "--weights", "bicubic")
    assert shown.err.startswith("note: Set5 has 5 images, here are 1")


def test_weights_and_all_reports(capsys, folder, weights, tmp_path):
    json_file, csv_file = tmp_path / "reports/r.json", tmp_path / "r.csv"
    shown = invoke(
        capsys, "evaluate", "--data", folder, "--weights", weights, "--markdown", "--json", json_file,
        "--csv", csv_file, "--protocol", "basicsr-rgb",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert [line.split("|")[1].strip() for line in lines] == ["model", "---", "bicubic", "mine"]
    data = json.loads(json_file.read_text())
    assert data["protocol"] == "basicsr-rgb/v1"
    assert {r["model"] for r in data["rows"]} == {"bicubic", "mine"}
    assert len(list(csv.reader(csv_file.open()))) == 1 + 2 * 3


def test_two_weights_of_one_stem_keep_apart(capsys, folder, weights, tmp_path):
    other = tmp_path / "other" / weights.name
    other.parent.mkdir()
    other.write_bytes(weights.read_bytes())
    shown = invoke(
        capsys, "evaluate", "--data", folder, "--weights", weights, "--weights", other, "--markdown"
    )
    assert f"| {weights} |" in shown.out
    assert f"| {other} |" in shown.out


def test_per_image(capsys, folder):
    rows = [
        line.split() for line in invoke(capsys, "evaluate", "--data", folder, "--per-image").out.splitlines()
    ]
    assert [r[3] for r in rows if len(r) > 4 and r[2] == "photos" and r[0] == "bicubic"] == ["a", "b"]


def test_bad_input_is_one_line(capsys, folder, tmp_path):
    assert_user_error(invoke(capsys, "evaluate", "--data", tmp_path / "nowhere"), "does not exist", "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert_user_error(invoke(capsys, "evaluate", "--data", empty), "no images", "empty")
    protocol = invoke(capsys, "evaluate", "--data", folder, "--protocol", "ledig")
    assert_user_error(protocol, "did you mean 'ledig-y'?")
    assert_user_error(invoke(capsys, "evaluate", "--data", folder, "--weights", "no-such-x4"), "no-such-x4")
    assert_user_error(invoke(capsys, "evaluate", "--data", folder, "--device", "tpu9"), "device 'tpu9'")
    assert_user_error(invoke(capsys, "evaluate", "--data", folder / "a.png"), "a.png is a file")
    Image.new("RGB", (12, 12)).save(tmp_path / "empty" / "tiny.png")
    assert_user_error(invoke(capsys, "evaluate", "--data", empty), "tiny.png is too small", "12x12", "20x20")
    (folder / "c.png").write_text("not an image")
    assert_user_error(invoke(capsys, "evaluate", "--data", folder), "c.png")


@pytest.mark.parametrize("option", ["--json", "--csv"])
def test_a_report_that_cannot_be_written_is_found_out_first(capsys, folder, tmp_path, monkeypatch, option):
    monkeypatch.setattr("kornia_srgan.evaluation.evaluate.evaluate", None)
    (tmp_path / "file").write_text("")
    result = invoke(capsys, "evaluate", "--data", folder, option, tmp_path / "file/deep/r")
    assert_user_error(result, "cannot write", "file is not a folder")
    assert_user_error(invoke(capsys, "evaluate", "--data", folder, option, tmp_path), "it is a folder")


def test_crops(capsys, folder, weights, tmp_path):
    shown = invoke(capsys, "evaluate", "--data", folder, "--weights", weights, "--crops", tmp_path / "crops")
    assert shown.code == 0, shown.err
    assert sorted(p.name for p in (tmp_path / "crops").glob("*.png")) == [
        "photos_x4_a.png",
        "photos_x4_b.png",
    ]


def test_crops_by_hand_and_by_difference(capsys, folder, weights, tmp_path):
    common = (
        "evaluate",
        "--data",
        folder,
        "--weights",
        weights,
        "--metric",
        "psnr",
        "--crops",
        tmp_path / "crops",
    )
    shown = invoke(capsys, *common, "--crop", "photos/b=4,0,16", "--crop-size", 24)
    assert shown.code == 0, shown.err
    assert [p.name for p in (tmp_path / "crops").glob("*.png")] == ["photos_x4_b.png"]
    shown = invoke(capsys, *common, "--crops-by", "difference", "--crops-best", 1)
    assert shown.code == 0, shown.err
    wrong = invoke(capsys, *common, "--crop", "nobody=1,2")
    assert wrong.code == 2
    assert "no set has an image 'nobody'" in wrong.err
    assert "mine" in wrong.out  # the figures are not lost
    assert_user_error(invoke(capsys, *common, "--crop", "b"), "expected [SET/]IMAGE=LEFT,TOP[,SIDE]")
    assert_user_error(invoke(capsys, *common, "--crops-by", "size"), "known: detail, difference")
    assert_user_error(invoke(capsys, *common[:-2], "--crops-best", 1), "give --crops DIR")


def test_chosen_metrics(capsys, folder):
    shown = invoke(capsys, "evaluate", "--data", folder, "--metric", "ssim", "--markdown").out
    assert shown.splitlines()[0] == "| model | scale | photos SSIM |"
    assert_user_error(invoke(capsys, "evaluate", "--data", folder, "--metric", "sim"), "did you mean 'ssim'?")


@pytest.fixture
def figures(capsys, folder, weights, tmp_path):
    """What `--json` wrote about bicubic and `mine`."""
    path = tmp_path / "figures.json"
    shown = invoke(
        capsys, "evaluate", "--data", folder, "--weights", weights, "--metric", "psnr", "--json", path
    )
    assert shown.code == 0, shown.err
    return path


def test_figures_at_hand_are_shown_again(capsys, figures, tmp_path):
    shown = invoke(
        capsys, "evaluate", "--from", figures, "--markdown", "--against", "bicubic",
        "--latex", tmp_path / "t.tex", "--plot", tmp_path / "p.png", "--csv", tmp_path / "r.csv",
        "--json", tmp_path / "again.json",
    )  # fmt: skip
    assert shown.code == 0, shown.err
    assert shown.out.splitlines()[3].startswith("| mine | x4 |")
    assert "| mine | x4 | photos | psnr | 2 |" in shown.out
    assert "too few images" in shown.out
    assert r"\begin{tabular}" in (tmp_path / "t.tex").read_text()
    assert Image.open(tmp_path / "p.png").format == "PNG"
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["statistics"]["against"] == "bicubic"
    assert again["rows"] == json.loads(figures.read_text())["rows"]


def test_bad_outputs_are_one_line(capsys, folder, figures, tmp_path):
    def refused(*arguments):
        return invoke(capsys, "evaluate", *arguments)

    assert_user_error(refused("--from", figures, "--data", folder, "--scale", 2), "leave out --data, --scale")
    assert_user_error(refused("--from", tmp_path / "no.json"), "No such file")
    (tmp_path / "text").write_text("hello")
    assert_user_error(refused("--from", tmp_path / "text"), "not what `kornia-srgan evaluate --json` writes")
    assert_user_error(refused(), "give --data DIR, or --from FILE.json")
    assert_user_error(refused("--from", figures, "--against", "mime"), "did you mean 'mine'?")
    assert_user_error(refused("--data", folder, "--weights", "bicubic", "--against", "x"), "rows are bicubic")
    assert_user_error(refused("--from", figures, "--plot", tmp_path / "p.gif"), "name it .png, .pdf or .svg")
    assert_user_error(refused("--from", figures, "--plot-x", "flops"), "give --plot FILE.png too")
    plot = ("--from", figures, "--plot", tmp_path / "p.png")
    assert_user_error(refused(*plot, "--plot-x", "flps"), "did you mean 'flops'?")
    assert_user_error(
        refused(*plot, "--benchmark", figures), "is not a file of `kornia-srgan benchmark --json`"
    )

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.weights.files import save_weights
from kornia_srgan.weights.spec import WeightSpec
from tests.cli.runner import assert_user_error, invoke


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
    args = {"channels": 4, "num_blocks": 1}
    torch.manual_seed(0)
    module = GENERATORS.create("edsr", scale=4, **args)
    path = tmp_path / "mine.safetensors"
    save_weights(path, module.state_dict(), WeightSpec(name="edsr", args=args, scale=4))
    return path


def test_bicubic_row_alone(capsys, folder):
    shown = invoke(capsys, "evaluate", "--data", folder)
    assert shown.code == 0, shown.err
    assert "bicubic" in shown.out
    assert "ledig-y/v1" in shown.out


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
    assert_user_error(invoke(capsys, "evaluate", "--data", empty), "empty, tiny: ", "too small")
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


def test_chosen_metrics(capsys, folder):
    shown = invoke(capsys, "evaluate", "--data", folder, "--metric", "ssim", "--markdown").out
    assert shown.splitlines()[0] == "| model | scale | photos SSIM |"
    assert_user_error(invoke(capsys, "evaluate", "--data", folder, "--metric", "sim"), "did you mean 'ssim'?")

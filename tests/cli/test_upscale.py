import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.tiny_weights import save_tiny_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_tiny_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.jpg"):
        Image.fromarray(rng.integers(0, 255, (5, 6, 3), np.uint8)).save(tmp_path / name)
    return tmp_path


def test_a_file(capsys, folder, weights):
    out = folder / "out" / "larger.png"
    result = invoke(capsys, "upscale", folder / "a.png", "-o", out, "--weights", weights, "--tile", 4)
    assert result.code == 0
    assert result.out == ""
    assert str(out) in result.err
    assert Image.open(out).size == (24, 20)


def test_tiles_leave_no_trace(capsys, folder, weights):
    for tile in ("0", "2", "auto"):
        invoke(
            capsys,
            "upscale",
            folder / "a.png",
            "-o",
            folder / f"{tile}.png",
            "--weights",
            weights,
            "--tile",
            tile,
        )
    whole, two, auto = (np.asarray(Image.open(folder / f"{t}.png")).astype(int) for t in ("0", "2", "auto"))
    assert abs(whole - two).max() <= 1
    assert abs(whole - auto).max() <= 1


def test_a_folder_with_a_bad_file(capsys, folder, weights):
    (folder / "bad.png").write_text("hello")
    report = folder / "report.json"
    result = invoke(
        capsys, "upscale", folder, "-o", folder / "out", "--weights", weights, "--json", report, "--jobs", 2
    )
    assert result.code == 3
    assert sorted(p.name for p in (folder / "out").glob("[!.]*")) == ["a_x4.png", "b_x4.png"]
    assert "1 of 3 files failed" in result.err
    assert "bad.png': it is not a picture" in result.err
    found = json.loads(report.read_text())
    assert found["scale"] == 4
    assert [f["status"] for f in found["files"]] == ["done", "done", "failed"]
    assert found["files"][0]["input_size"] == [6, 5]


def test_a_second_run_overwrites_or_skips(capsys, folder, weights):
    line = ("upscale", folder / "a.png", "-o", folder / "out", "--weights", weights, "-q")
    result = folder / "out" / "a_x4.png"
    assert invoke(capsys, *line).code == 0
    result.write_bytes(b"old")
    assert invoke(capsys, *line, "--skip-existing").code == 0
    assert result.read_bytes() == b"old"
    assert invoke(capsys, *line).code == 0
    assert Image.open(result).size == (24, 20)


def test_quality_and_format(capsys, folder, weights):
    result = invoke(
        capsys,
        "upscale",
        folder / "a.png",
        "-o",
        folder / "out",
        "--weights",
        weights,
        "--format",
        "jpg",
        "--quality",
        50,
    )
    assert result.code == 0
    assert Image.open(folder / "out" / "a_x4.jpg").format == "JPEG"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no.png", "-o", "o"], ["no.png"]),
        (["a.png", "-o", "o", "--tile", "big"], ["--tile", "big"]),
        (["a.png", "-o", "o", "--tile", "-3"], ["--tile"]),
        (["a.png", "-o", "o", "--weights", "edsr-x5"], ["edsr-x5"]),
        (["a.png", "-o", "o", "--format", "pngg"], ["did you mean 'png'"]),
        (["a.png", "-o", "o", "--device", "gpu"], ["gpu", "cpu"]),
        (["a.png", "-o", "o", "--dtype", "int8"], ["int8", "bfloat16"]),
        (["a.png", "-o", "o", "--name", "{x}"], ["{x}", "{stem}"]),
        (["a.png", "-o", "a.png/o.png"], ["cannot write"]),
        (["a.png", "-o", "o.xyz"], [".xyz"]),
        (["text.png", "-o", "o"], ["text.png", "not a picture"]),
        (["text.png", "-o", "o", "--max-pixels", "0"], ["--max-pixels"]),
        (["empty", "-o", "o"], ["empty", "no picture"]),
    ],
)
def test_bad_input_is_one_line(capsys, monkeypatch, folder, weights, arguments, words):
    monkeypatch.chdir(folder)
    (folder / "text.png").write_text("hello")
    (folder / "empty").mkdir()
    given = [] if "--weights" in arguments else ["--weights", weights]
    assert_user_error(invoke(capsys, "upscale", *arguments, *given), *words)


def test_memory_that_runs_out_is_told_with_advice(capsys, monkeypatch, folder, weights):
    from kornia_srgan.inference.upscaler import Upscaler

    def fail(self, pixels):
        raise MemoryError

    monkeypatch.setattr(Upscaler, "bands", fail)
    line = ("upscale", "-o", folder / "out", "--weights", weights)
    assert_user_error(invoke(capsys, *line, folder / "a.png"), "a.png", "not enough memory", "--tile")
    result = invoke(capsys, *line, folder)
    assert result.code == 3
    assert result.err.count("--tile") == 2
    assert not list((folder / "out").glob("[!.]*"))


def test_a_fault_of_ours_is_said_to_be_one_and_ends_nothing(capsys, monkeypatch, folder, weights):
    from kornia_srgan.inference.upscaler import Upscaler

    inner = Upscaler.bands

    def fail(self, pixels):
        return inner(self, pixels) if pixels[0, 0, 0] == first else 1 / 0

    first = np.asarray(Image.open(folder / "a.png"))[0, 0, 0]
    monkeypatch.setattr(Upscaler, "bands", fail)
    line = ("upscale", "-o", folder / "out", "--weights", weights)
    result = invoke(capsys, *line, folder)
    assert result.code == 3
    assert "b.jpg: ZeroDivisionError" in result.err
    assert [p.name for p in (folder / "out").glob("[!.]*")] == ["a_x4.png"]
    result = invoke(capsys, *line, folder / "b.jpg")
    assert result.code == 1
    assert "bug in kornia-srgan" in result.err


@pytest.fixture
def overflowing(tmp_path):
    """A tiny network whose features float16 cannot hold, though it can hold the weights."""
    from kornia_srgan.registry.catalog import GENERATORS
    from kornia_srgan.weights.files import save_weights
    from kornia_srgan.weights.spec import WeightSpec

    args = {"channels": 4, "num_convs": 1, "activation": "relu"}
    path = tmp_path / "overflowing.safetensors"
    module = GENERATORS.create("compact", scale=2, **args)
    state = module.state_dict()
    state["body.0.weight"].mul_(1e5)
    state["body.2.weight"].mul_(1e-5)
    save_weights(path, state, WeightSpec(name="compact", args=args, scale=2))
    return path


def test_what_float16_cannot_hold_is_computed_in_float32(capsys, folder, overflowing):
    for dtype in ("float32", "float16"):
        line = ("upscale", folder / "a.png", "-o", folder / f"{dtype}.png", "--weights", overflowing)
        assert invoke(capsys, *line, "--dtype", dtype).code == 0
    exact, half = (np.asarray(Image.open(folder / f"{d}.png")) for d in ("float32", "float16"))
    assert exact.std() > 10
    np.testing.assert_array_equal(half, exact)


def test_stdin_to_stdout(folder, weights):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "kornia_srgan",
            "upscale",
            "--json",
            str(folder.parent / "report.json"),
            "-",
            "-o",
            "-",
            "--weights",
            str(weights),
            "--format",
            "webp",
        ],
        input=(folder / "b.jpg").read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    import io

    assert "stdin -> - (" in done.stderr.decode()
    (file,) = json.loads((folder.parent / "report.json").read_text())["files"]
    assert file["target"] == "-"
    result = Image.open(io.BytesIO(done.stdout))
    assert (result.format, result.size) == ("WEBP", (24, 20))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        (["--scale", 1.5], (9, 8)),
        (["--scale", 6], (36, 30)),
        (["--width", 30], (30, 25)),
        (["--long-side", 12, "--ensemble", "--color-fix"], (12, 10)),
    ],
)
def test_control(capsys, folder, weights, options, size):
    out = folder / "out.png"
    result = invoke(capsys, "upscale", folder / "a.png", "-o", out, "--weights", weights, *options)
    assert result.code == 0, result.err
    assert Image.open(out).size == size


def test_interpolation_of_weights(capsys, folder, weights):
    out = folder / "out.png"
    line = ("upscale", folder / "a.png", "-o", out, "--interpolate", weights, weights)
    assert invoke(capsys, *line, 0.8).code == 0
    assert_user_error(invoke(capsys, *line, 3), "[0, 1]")
    assert_user_error(invoke(capsys, *line, 0.5, "--weights", weights), "--interpolate")


def test_names_carry_the_scale_that_was_asked_for(capsys, folder, weights):
    line = ("upscale", folder / "a.png", "-o", folder / "out", "--weights", weights)
    invoke(capsys, *line, "--scale", 1.5)
    invoke(capsys, *line, "--name", "{stem}-large")
    assert sorted(p.name for p in (folder / "out").glob("[!.]*")) == ["a-large.png", "a_x1.5.png"]


def test_results_in_the_input_folder_are_no_inputs(capsys, folder, weights):
    (folder / "logo.svg").write_text("<svg/>")
    report = folder / "report.json"
    line = ("upscale", folder, "--weights", weights, "--json", report, "-o")
    assert invoke(capsys, *line, folder / "large").code == 0
    first = json.loads(report.read_text())["files"]
    result = invoke(capsys, *line, folder / "large")
    assert result.code == 0
    assert "left out: " in result.err
    assert "large (results of an earlier run: 2 files)" in result.err
    again = json.loads(report.read_text())
    assert [f["source"] for f in again["files"]] == [f["source"] for f in first]
    reasons = {entry["path"]: entry["reason"] for entry in again["left_out"]}
    assert reasons[str(folder / "large")] == "results of an earlier run: 2 files"
    assert "drawing" in reasons[str(folder / "logo.svg")]
    assert invoke(capsys, *line, folder).code == 0  # beside their originals
    assert invoke(capsys, *line, folder).code == 0
    assert len(json.loads(report.read_text())["files"]) == 2
    assert (
        invoke(capsys, "upscale", folder / "large", "--weights", weights, "-o", folder / "larger").code == 0
    )
    assert (folder / "larger" / "a_x4_x4.png").is_file()


def test_a_name_with_a_tilde_is_a_name_and_home_is_home(capsys, folder, weights, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder / "home"))
    (folder / "~tilde.png").write_bytes((folder / "a.png").read_bytes())
    assert invoke(capsys, "upscale", "~tilde.png", "-o", "~/large", "--weights", weights).code == 0
    assert (folder / "home" / "large" / "~tilde_x4.png").is_file()
    assert not (folder / "~").exists()
    assert_user_error(
        invoke(capsys, "upscale", "~nobody.png", "-o", "x", "--weights", weights), "~nobody.png"
    )


@pytest.mark.parametrize(
    ("option", "value", "name", "size"),
    [("--width", 9, "a_9w.png", (9, 8)), ("--long-side", 18, "a_18px.png", (18, 15))],
)
def test_names_carry_the_size_that_was_asked_for(capsys, folder, weights, option, value, name, size):
    line = ("upscale", folder / "a.png", "-o", folder / "out", "--weights", weights, option, value)
    assert invoke(capsys, *line).code == 0
    assert Image.open(folder / "out" / name).size == size
    assert_user_error(invoke(capsys, *line, "--name", "{stem}_x{scale}"), "use {size}")


def test_a_format_that_contradicts_the_name_is_refused(capsys, folder, weights):
    line = ("upscale", folder / "a.png", "-o", folder / "o.jpg", "--weights", weights, "--format", "png")
    assert_user_error(invoke(capsys, *line), "o.jpg", "JPEG", "PNG")
    assert not (folder / "o.jpg").exists()


def test_one_pair_of_names_does_not_stop_the_rest(capsys, folder, weights):
    Image.open(folder / "a.png").save(folder / "a.webp", lossless=True)
    (folder / "a.jpg").write_bytes((folder / "b.jpg").read_bytes())
    report = folder / "report.json"
    line = ("upscale", folder, "-o", folder / "out", "--weights", weights, "--json", report)
    assert invoke(capsys, *line).code == 0
    files = {f["source"]: f for f in json.loads(report.read_text())["files"]}
    assert len({f["target"] for f in files.values()}) == 4
    assert files[str(folder / "a.jpg")]["target"] == str(folder / "out" / "a_jpg_x4.png")
    assert "same name" in files[str(folder / "a.png")]["notes"][0]


def test_quiet_means_that_libraries_are_quiet_too(folder, weights):
    """Warnings and logs of Python and lines of C libraries; errors of ours are still told."""
    plugin = folder / "loud.py"
    plugin.write_text(
        "import logging, os, sys, warnings\n"
        "warnings.warn('loud warning')\n"
        "logging.getLogger('another.library').warning('loud log')\n"
        "print('loud print', file=sys.stderr)\n"
        "os.write(2, b'loud C library\\n')\n"
    )
    (folder / "bad.png").write_text("hello")
    line = [sys.executable, "-m", "kornia_srgan", "upscale", str(folder), "-o", str(folder / "out"), "-q",
            "--weights", str(weights), "--plugin", str(plugin)]  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "loud" not in done.stderr
    assert done.stderr.splitlines()[0] == "1 of 3 files failed:"
    assert "bad.png" in done.stderr.splitlines()[1]
    assert len(done.stderr.splitlines()) == 2


def test_names_that_are_no_unicode_are_enlarged_and_reported(capsys, folder, weights):
    name = os.fsdecode(b"\xff\xfe.png")
    (folder / name).write_bytes((folder / "a.png").read_bytes())
    report = folder / "report.json"
    line = ("upscale", folder, "-o", folder / "out", "--weights", weights, "--json", report)
    assert invoke(capsys, *line).code == 0
    assert (folder / "out" / os.fsdecode(b"\xff\xfe_x4.png")).is_file()
    assert str(folder / name) in [f["source"] for f in json.loads(report.read_text())["files"]]


def test_a_report_that_cannot_be_written_is_said_before_the_work(capsys, folder, weights):
    line = ("upscale", folder, "-o", folder / "out", "--weights", weights, "--json", folder)
    assert_user_error(invoke(capsys, *line), "cannot write", "it is a folder")
    assert not (folder / "out").exists()

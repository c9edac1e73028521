import json
import subprocess
import sys

import pytest

from kornia_srgan.benchmarking.plan import Plan
from kornia_srgan.benchmarking.schema import read_forward
from kornia_srgan.errors import UserError
from tests.helpers.compute import shrink_products
from tests.helpers.documents import SMALL_EDSR
from tests.helpers.extras import pretend_missing
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.snippets import ROOT


@pytest.fixture(autouse=True)
def _small_products(monkeypatch):
    shrink_products(monkeypatch)


QUICK = ("benchmark", "--size", "5x7", "--repeats", 2, "--device", "cpu")
PLUGIN = """
from torch import nn
from kornia_srgan import GENERATORS

@GENERATORS.register("my_broken", summary="fails")
class Mine(nn.Module):
    def __init__(self, *, scale: int = 4):
        super().__init__()
        self.scale = scale

    def forward(self, lr):
        raise RuntimeError("not [yet] written")
"""


def test_all_outputs(capsys, tmp_path):
    data, picture = tmp_path / "deep/x.json", tmp_path / "x.png"
    shown = invoke(
        capsys, *QUICK, "--generator", SMALL_EDSR, "--weights", "edsr-x4", "--against", "eager",
        "--json", data, "--plot", picture, "--batch", 2,
    )  # fmt: skip
    assert shown.code == 0, shown.err
    for words in (
        "edsr:channels=4,num_blocks=1 x4, 2x5x7, float32",
        "edsr-x4 x4",
        "eager",
        "of matmul",
        "CPU threads",
    ):
        assert words in shown.out
    document = read_forward(data)
    assert [(c.subject, c.batch, len(c.runs)) for c in document.cases] == [
        (SMALL_EDSR, 2, 2),
        ("edsr-x4", 2, 2),
    ]
    assert document.settings["repeats"] == 2
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_memory_is_kept_as_upscale_keeps_it(capsys, monkeypatch):
    calls = []
    monkeypatch.setattr("kornia_srgan.allocator.keep_freed_memory", lambda: calls.append("kept") or True)
    assert invoke(capsys, *QUICK, "--generator", SMALL_EDSR).code == 0
    assert calls == ["kept"]


def test_figures_are_shown_although_they_cannot_be_written(capsys, monkeypatch, tmp_path):
    def full(path, *_):
        raise UserError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr("kornia_srgan.cli.benchmark.write_text", full)
    shown = invoke(capsys, *QUICK, "--generator", SMALL_EDSR, "--json", tmp_path / "x.json")
    assert shown.code == 2
    assert "of matmul" in shown.out
    assert shown.err.endswith("x.json: No space left on device\n")


def test_markdown_and_change(capsys, tmp_path):
    old = tmp_path / "old.json"
    first = invoke(capsys, *QUICK, "--generator", SMALL_EDSR, "--json", old, "--markdown")
    assert first.out.startswith("| case | engine |")
    again = invoke(capsys, *QUICK, "--generator", SMALL_EDSR, "--compare", old, "--markdown")
    assert again.code == 0, again.err
    assert "| now / before |" in again.out
    content = json.loads(old.read_text())
    content["machine"]["cpu"] = "Abacus 3000"
    old.write_text(json.dumps(content))
    elsewhere = invoke(capsys, *QUICK, "--generator", SMALL_EDSR, "--compare", old)
    assert elsewhere.code == 0
    assert "now / before" not in elsewhere.out
    assert (
        f"warning: {old} is not compared, it was measured elsewhere: cpu 'Abacus 3000' there" in elsewhere.err
    )


def test_every_option_reaches_the_plan(capsys, monkeypatch):
    seen = []

    def stop(subjects, plan, *, engines, device, progress):
        seen.append((subjects, plan, engines, str(device)))
        raise UserError("enough")

    monkeypatch.setattr("kornia_srgan.benchmarking.forward.run_forward", stop)
    options = (
        "--generator edsr --scale 2 --size 5x7 --size 8 --batch 1 --batch 2 --dtype bf16 --dtype fp16"
        " --repeats 9 --memory-format contiguous --compile --no-optimize --against eager --device cpu:0"
    )
    assert_user_error(invoke(capsys, "benchmark", *options.split()), "enough")
    ((subjects, plan, engines, device),) = seen
    assert [(s.label, s.scale) for s in subjects] == [("edsr", 2)]
    assert plan == Plan(
        sizes=[(5, 7), (8, 8)], batches=[1, 2], dtypes=["bf16", "fp16"], memory_formats=["contiguous"],
        compiled=True, optimized=False, repeats=9,
    )  # fmt: skip
    assert ([e.name for e in engines], device) == (["eager"], "cpu:0")
    assert_user_error(invoke(capsys, "benchmark", "--device", "cpu"), "enough")
    assert seen[1][1] == Plan(
        sizes=[(128, 128)], batches=[1], dtypes=["float32"], memory_formats=["channels_last"]
    )


def test_a_plugin_that_fails_is_a_row_and_an_exit_code(capsys, tmp_path):
    from kornia_srgan.registry.catalog import GENERATORS

    plugin = tmp_path / "my_broken_plugin.py"
    plugin.write_text(PLUGIN)
    with GENERATORS.temporary():
        arguments = (*QUICK, "--plugin", plugin, "--generator", "my_broken", "--generator", SMALL_EDSR)
        shown = invoke(capsys, *arguments, "--plot", tmp_path / "x.png")
    assert shown.code == 1
    assert "failed: not [yet] written" in shown.out
    assert "edsr:channels=4,num_blocks=1 x4" in shown.out


def test_an_engine_that_is_not_installed_is_one_line(capsys, monkeypatch):
    pretend_missing(monkeypatch, "openvino")
    shown = invoke(capsys, *QUICK, "--against", "openvino")
    assert_user_error(shown, "engine 'openvino' needs", "pip install 'kornia-srgan[benchmark]'")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--generator", "edrs"], ["did you mean 'edsr'"]),
        (["--size", "12x"], ["size '12x'"]),
        (["--dtype", "int8"], ["dtype 'int8'"]),
        (["--dtype", "auto", "--no-optimize"], ["dtype", "leave out --no-optimize"]),
        (["--engine", "auto", "--compile"], ["engine", "for the engine torch"]),
        (["--memory-format", "nchw"], ["memory format 'nchw'", "channels-last"]),
        (["--against", "tvm"], ["engine 'tvm'", "openvino"]),
        (["--compare", "nowhere.json"], ["nowhere.json"]),
        (["--weights", "nothing-x4"], ["nothing-x4"]),
        (["--json", "/dev/null/x/y.json"], ["cannot write"]),
        (["--plot", "/dev/null/x/y.png"], ["cannot write"]),
        (["--plot", "speeds.svg"], ["speeds.svg", "name it .png"]),
        (["--generator", "edsr:channels=["], ["'[' is not a value"]),
        (["--device", "nonsense"], ["device 'nonsense' is not known"]),
        (["--device", "meta"], ["device 'meta' cannot be used here"]),
        (["--device", "hpu"], ["device 'hpu' cannot be used here"]),
    ],
)
def test_bad_input_is_one_line(capsys, monkeypatch, options, words):
    monkeypatch.setattr("kornia_srgan.benchmarking.forward.run_forward", None)
    assert_user_error(invoke(capsys, "benchmark", *options), *words)


def test_from_a_checkout():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.generator_forward", "--size", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: size '0'")

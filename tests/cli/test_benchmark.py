import json
import subprocess
import sys

import pytest

from kornia_srgan.benchmarking import engines
from kornia_srgan.benchmarking.schema import read_forward
from tests.benchmarking.conftest import small_products  # noqa: F401
from tests.benchmarking.documents import SMALL_EDSR
from tests.cli.runner import assert_user_error, invoke
from tests.snippets import ROOT

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
        f"warning: {old} is not compared, it is of another machine: cpu 'Abacus 3000' there" in elsewhere.err
    )


def test_a_plugin_that_fails_is_a_row_and_an_exit_code(capsys, tmp_path):
    from kornia_srgan.catalog import GENERATORS

    plugin = tmp_path / "my_broken_plugin.py"
    plugin.write_text(PLUGIN)
    with GENERATORS.temporary():
        arguments = (*QUICK, "--plugin", plugin, "--generator", "my_broken", "--generator", SMALL_EDSR)
        shown = invoke(capsys, *arguments, "--plot", tmp_path / "x.png")
    assert shown.code == 1
    assert "failed: not [yet] written" in shown.out
    assert "edsr:channels=4,num_blocks=1 x4" in shown.out


def test_an_engine_that_is_not_installed_is_one_line(capsys, monkeypatch):
    find = engines.importlib.util.find_spec
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda n: None if n == "openvino" else find(n))
    shown = invoke(capsys, *QUICK, "--against", "openvino")
    assert_user_error(shown, "engine 'openvino' needs", 'pip install "kornia-srgan[benchmark]"')


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--generator", "edrs"], ["did you mean 'edsr'"]),
        (["--size", "12x"], ["size '12x'"]),
        (["--dtype", "int8"], ["dtype 'int8'"]),
        (["--memory-format", "nchw"], ["memory format 'nchw'", "channels-last"]),
        (["--against", "tvm"], ["engine 'tvm'", "openvino"]),
        (["--compare", "nowhere.json"], ["nowhere.json"]),
        (["--weights", "nothing-x4"], ["nothing-x4"]),
        (["--json", "/dev/null/x/y.json"], ["cannot write"]),
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

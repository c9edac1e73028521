"""`--num-processes` with real processes, some of which are killed."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.cli.app import run_command_line
from tests.helpers.forked_ranks import exit_code, start
from tests.helpers.launches import ENVIRONMENT, LAUNCH, TORCHRUN_TWO, finish
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.tiny_weights import save_tiny_weights


@pytest.fixture
def folder(tmp_path, monkeypatch):
    save_tiny_weights(tmp_path)
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(rng.integers(0, 255, (60, 64, 3), np.uint8)).save(tmp_path / f"in/{number:02}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def results(folder):
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


def command_line(arguments):
    """The command line in a fork of this process; what it tells goes into a file."""
    os.environ.update(ENVIRONMENT)
    with Path("told.txt").open("w") as sys.stderr:
        return run_command_line(arguments)


def started(*more):
    """A command with two workers, once it has written something; with the workers' ids."""
    line = ["upscale", "in", "-o", "two", "--weights", "tiny.safetensors", "--num-processes", "2", *more]
    command = start(lambda: command_line(line))
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and not results(Path("two")):
        assert command.exitcode is None, Path("told.txt").read_text()
        time.sleep(0.005)
    task = Path(f"/proc/{command.pid}/task/{command.pid}/children")
    return command, [int(pid) for pid in task.read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers in /proc")
def test_a_killed_worker_leaves_its_share_to_a_second_run(folder, capsys):
    command, workers = started("--json", "report.json")
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    assert exit_code(command) == 3, Path("told.txt").read_text()
    report = json.loads(Path("report.json").read_text())
    failed = [file for file in report["files"] if file["status"] == "failed"]
    assert 1 <= len(failed) <= 2
    assert "was killed (signal 9); --skip-existing does what is missing" in failed[0]["error"]
    assert len(report["files"]) == 40
    arguments = ["upscale", "in", "--weights", "tiny.safetensors", "--threads", "1", "-o"]
    assert invoke(capsys, *arguments, "two", "--skip-existing").code == 0
    assert invoke(capsys, *arguments, "one").code == 0
    assert results(Path("two")) == results(Path("one"))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers in /proc")
def test_ctrl_c_stops_all_and_leaves_nothing_half_written(folder):
    command, workers = started("--quiet")
    os.kill(command.pid, signal.SIGINT)
    assert exit_code(command) == 130
    assert Path("told.txt").read_text() in ("", "interrupted\n")
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert [path.name for path in Path("two").glob(".*")] == [".kornia-srgan-output"]
    for path in Path("two").glob("[!.]*"):
        Image.open(path).load()


def test_a_number_of_processes_is_at_least_one(folder, capsys):
    assert_user_error(invoke(capsys, "upscale", "in", "-o", "two", "--num-processes", "0"), "--num-processes")


@pytest.mark.parametrize(
    "launch",
    [
        pytest.param(TORCHRUN_TWO, id="torchrun", marks=pytest.mark.slow),
        pytest.param([*LAUNCH, "--cpu", "--num_processes", "2"], id="accelerate", marks=pytest.mark.slow),
    ],
)
def test_a_launcher_gives_one_report_and_the_bytes_of_one_process(launch, folder, capsys):
    for number in range(4, 40):
        Path(f"in/{number:02}.png").unlink()
    Path("count.py").write_text("import os, pathlib\npathlib.Path(f'at-work-{os.getpid()}').touch()\n")
    line = ["upscale", "in", "--weights", "tiny.safetensors", "--threads", "1", "-o"]
    more = ["--json", "report.json", "--plugin", "count.py"]
    told = finish([*launch, "-m", "kornia_srgan.upscale", *line[1:], "two", *more])
    assert told.count(" -> two/") == 4
    assert (
        len(list(Path().glob("at-work-*"))) == 3
    )  # the one that reads the command line, and two that compute
    assert [file["status"] for file in json.loads(Path("report.json").read_text())["files"]] == ["done"] * 4
    assert invoke(capsys, *line, "one").code == 0
    assert results(Path("two")) == results(Path("one"))

"""Real processes: `accelerate launch`, torchrun, signals."""

import json
import os
import signal
import socket
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from accelerate.commands.launch import launch_command, launch_command_parser
from safetensors.torch import load_file

from kornia_srgan.assembly import load_generator
from kornia_srgan.cli.app import run_command_line
from kornia_srgan.config.io import dump_config
from kornia_srgan.errors import UserError
from kornia_srgan.registry.plugins import load_plugin
from kornia_srgan.training.trainer import Trainer
from tests.helpers import fp16_ranks, ranks
from tests.helpers.forked_ranks import exit_code, run_two_ranks, start
from tests.helpers.launches import (
    COMMAND,
    LAUNCH_OPTIONS,
    TWO_OPTIONS,
    here,
    interrupt,
    interrupt_fork,
    launch,
    single_thread,
)
from tests.helpers.runner import Result, assert_user_error, invoke
from tests.helpers.runs import assert_same_run
from tests.helpers.tolerances import assert_near
from tests.helpers.training import make_photos, small_config

pytestmark = pytest.mark.slow


@pytest.fixture
def recipe(tmp_path: Path):
    photos = make_photos(tmp_path / "photos")

    def write(**sections: Any) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(dump_config(small_config(data__folders=[str(photos)], **sections)))
        return path

    return write


def test_sigkill_in_the_second_stage_and_resume(recipe: Any, tmp_path: Path) -> None:
    """With two processes: test_pairs.py."""
    path = recipe(stages__1__steps=120, train__checkpoint_every=8)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    here("train", path, "--output", whole)
    command = ["train", str(path), "--output", str(killed)]
    code = interrupt_fork(partial(run_command_line, command), killed, signal.SIGKILL, after_step=14)
    assert code == -signal.SIGKILL
    assert not (killed / "generator.safetensors").exists()
    here(*command, "--resume")
    assert_same_run(whole, killed)


def progress_of(run: Path) -> dict[str, Any]:
    newest = sorted((run / "checkpoints").iterdir())[-1]
    return json.loads((newest / "state.json").read_text())["progress"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["sigterm", "ctrl-c"])
def test_a_signal_finishes_the_step_saves_and_exits(
    number: signal.Signals, recipe: Any, tmp_path: Path
) -> None:
    """One is sent to the command as a shell starts it."""
    path = recipe(stages__1__steps=4000, train__checkpoint_every=100_000)
    run = tmp_path / "run"
    arguments = ["train", str(path), "--output", str(run)]
    if number == signal.SIGINT:
        assert interrupt([*COMMAND, *arguments], run, number, after_step=10) == 130
    else:
        work = partial(run_command_line, arguments)
        assert interrupt_fork(work, run, number, after_step=10) == 130
    progress = progress_of(run)
    assert progress["total"] >= 10
    assert progress["stage"] == 1
    assert not (run / "generator.safetensors").exists()


def test_two_processes_stop_at_the_same_step_and_one_does_not_go_on(
    recipe: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The launcher hands the signal on to both; which crops a step sees hangs together with their number."""
    path = recipe(stages__1__steps=4000, train__checkpoint_every=100_000)
    run = tmp_path / "run"
    module = ["-m", "kornia_srgan.train", path, "--output", run]
    interrupt_fork(partial(launch, *TWO_OPTIONS, *module), run, signal.SIGTERM, after_step=10)
    progress = progress_of(run)
    assert progress["total"] >= 10
    assert progress["total"] % 10 == 0  # where the processes ask one another
    with single_thread():
        refused = invoke(capsys, "train", path, "--output", run, "--resume")
    assert_user_error(refused, "error: --resume: processes was 2 in", "and is 1 now")


def test_two_processes_with_half_the_batch_do_what_one_does(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without BatchNorm in the generator, and with one convolution without it in the discriminator."""
    discriminator = {"name": "vgg", "args": {"filters": [8], "strides": [2], "dense": 8, "pool": 2}}
    path = recipe(stages__1__discriminator=discriminator, train__ema_decay=0)
    monkeypatch.setattr(Trainer, "_finish_stage", Trainer._finish_stage)  # `main` replaces it
    one, two = tmp_path / "one", tmp_path / "two"
    with single_thread():
        ranks.main(str(path), str(one))
    assert run_two_ranks(lambda: ranks.main(str(path), str(two))) == [0, 0]
    for name in ("psnr", "generator"):
        a, b = load_file(one / f"{name}.safetensors"), load_file(two / f"{name}.safetensors")
        for key in a:
            assert_near(a[key], b[key], "trained", f"{name} {key}")
    single = json.loads((one / "ranks.json").read_text())[0]
    found = json.loads((two / "ranks.json").read_text())
    assert [r["rank"] for r in found] == [0, 1]
    assert found[0]["finals"] == found[1]["finals"]  # parameters are the same to the last bit
    for both, alone in zip(
        zip(found[0]["seeds"], found[1]["seeds"], strict=True), single["seeds"], strict=True
    ):
        assert both[0] + both[1] == alone  # the ranks share out the single process's crops
        assert not set(both[0]) & set(both[1])


def test_two_machines_do_what_two_processes_do(recipe: Any, tmp_path: Path) -> None:
    """Two launches on the loopback, each with its machine rank."""
    path = recipe(stages__0__steps=4, stages__1__steps=4)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    address = ["--main_process_ip", "127.0.0.1", "--main_process_port", port]
    both = ["--multi_gpu", "--num_machines", "2", "--num_processes", "2", *address]
    both += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    module = ["-m", "kornia_srgan.train", "--config", path, "--output", tmp_path / "a"]
    machines = [start(partial(launch, *both, "--machine_rank", rank, *module)) for rank in (0, 1)]
    assert [exit_code(machine) for machine in machines] == [0, 0]
    command = ["train", str(path), "--output", str(tmp_path / "b")]
    assert run_two_ranks(lambda: run_command_line(command)) == [0, 0]
    assert_same_run(tmp_path / "a", tmp_path / "b")


def test_a_launch_that_shards_networks_is_refused(
    recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a CPU Accelerate would train with DDP instead and not say so.

    Accelerate's launcher itself sets the variables; the processes that it would start are this one.
    """
    refused: list[Result] = []

    def run(args: Any) -> None:
        assert args.nproc_per_node == "2"
        assert args.training_script == "kornia_srgan.train"
        refused.append(invoke(capsys, "train", *args.training_script_args))

    monkeypatch.setattr("torch.distributed.run.run", run)
    options = ["--use_fsdp", "--fsdp_version", "2", "--num_processes", "2", "--main_process_port", "0"]
    module = ["-m", "kornia_srgan.train", "--config", str(recipe()), "--output", str(tmp_path / "run")]
    before = dict(os.environ)
    launch_command(launch_command_parser().parse_args([*LAUNCH_OPTIONS, *options, *module]))
    assert os.environ == before
    (result,) = refused
    assert_user_error(result, "accelerate's FSDP shards networks", "choose multi-GPU (DDP)")
    assert not (tmp_path / "run").exists()


PLUGIN = """
import torch
from torch import nn

from kornia_srgan.registry.catalog import GENERATORS


@GENERATORS.register("my_backbone", summary="Two convolutions")
class MyBackbone(nn.Module):
    def __init__(self, *, scale: int = 4, width: int = 8) -> None:
        super().__init__()
        self.scale = scale
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3 * scale**2, 3, padding=1)
        )

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return nn.functional.pixel_shuffle(self.body(lr), self.scale)
"""


def load_without_and_with(plugin: Path, weights: list[Path], told: Path) -> None:
    lines = []
    for path in weights:
        with pytest.raises(UserError) as error:
            load_generator(path)
        lines.append(str(error.value))
    load_plugin(plugin)
    lines += [type(load_generator(path).module).__name__ for path in weights]
    told.write_text("\n".join(lines))


def test_a_users_generator_trains_and_its_weights_load_again(tmp_path: Path) -> None:
    """The plug-in is named on the command line and in the recipe; the process that loads has seen neither."""
    photos, plugins = make_photos(tmp_path / "photos"), [tmp_path / f"{n}_backbone.py" for n in ("my", "own")]
    doors = {"option": ["--plugin", plugins[0]], "config": ["--set", f"plugins=[{plugins[1]}]"]}
    for plugin, (door, naming) in zip(plugins, doors.items(), strict=True):
        plugin.write_text(PLUGIN)
        short = ["--set", "generator=my_backbone", "--set", "stages.0.steps=3", "--set", "stages.1.steps=2"]
        line = ["train", "tiny", "--data", photos, "--output", tmp_path / door, *short, *naming]
        assert exit_code(start(partial(here, *line))) == 0
    weights = [tmp_path / door / "generator.safetensors" for door in doors]
    told = tmp_path / "told.txt"
    assert exit_code(start(lambda: load_without_and_with(plugins[0], weights, told))) == 0
    without, with_it = told.read_text().splitlines()[:2], told.read_text().splitlines()[2:]
    assert len(without) == 2
    assert all("made by generator 'my_backbone' of plug-in" in line for line in without)
    assert all("--plugin" in line for line in without)
    assert with_it == ["MyBackbone", "MyBackbone"]


def test_accelerate_launch_and_the_command_are_the_same_run(recipe: Any, tmp_path: Path) -> None:
    path = recipe(stages__0__steps=4, stages__1__steps=4)
    here("train", path, "--output", tmp_path / "a")
    module = ["-m", "kornia_srgan.train", "--config", path, "--output", tmp_path / "b"]
    launched = start(partial(launch, *LAUNCH_OPTIONS, "--cpu", "--num_processes", "1", *module))
    assert exit_code(launched) == 0
    assert_same_run(tmp_path / "a", tmp_path / "b")


def test_in_fp16_all_ranks_decide_alike(tmp_path: Path) -> None:
    """A loss that is bad on one rank makes the gradients of all bad: no rank may take it for an overflow."""
    output = tmp_path / "ranks.json"
    assert run_two_ranks(lambda: fp16_ranks.main(output)) == [0, 0]
    one, two = json.loads(output.read_text())
    assert one["processes"] == 2
    assert one["steps"] == two["steps"]  # the parameters too, to the last bit
    assert [step["bad"] for step in one["steps"]] == [False, True, False, False, False]
    assert [step["skipped"] for step in one["steps"]] == [False, True, False, True, False]
    assert [step["scale"] for step in one["steps"]] == [2**12, 2**11, 2**11, 2**10, 2**10]

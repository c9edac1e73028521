"""Real processes: `accelerate launch`, torchrun, signals."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from kornia_srgan.config.io import dump_config
from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.training.trainer import Trainer
from tests.helpers import ranks
from tests.helpers.launches import (
    ACCELERATE,
    ENVIRONMENT,
    LAUNCH,
    ONE,
    PATIENCE,
    TORCHRUN_TWO,
    TWO,
    finish,
    here,
    interrupt,
    single_thread,
)
from tests.helpers.runner import assert_user_error, invoke
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
    command = [*ONE, str(path), "--output", str(killed)]
    assert interrupt(command, killed, signal.SIGKILL, after_step=14) != 0
    assert not (killed / "generator.safetensors").exists()
    finish([*command, "--resume"])
    assert_same_run(whole, killed)


def progress_of(run: Path) -> dict[str, Any]:
    newest = sorted((run / "checkpoints").iterdir())[-1]
    return json.loads((newest / "state.json").read_text())["progress"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["sigterm", "ctrl-c"])
def test_a_signal_finishes_the_step_saves_and_exits(
    number: signal.Signals, recipe: Any, tmp_path: Path
) -> None:
    path = recipe(stages__1__steps=4000, train__checkpoint_every=100_000)
    run = tmp_path / "run"
    command = [*ONE, str(path), "--output", str(run)]
    assert interrupt(command, run, number, after_step=10) == 130
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
    interrupt([*TWO, str(path), "--output", str(run)], run, signal.SIGTERM, after_step=10)
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
    finish([*TORCHRUN_TWO, ranks.__file__, str(path), str(two)])
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
    both = [*ACCELERATE, "--multi_gpu", "--num_machines", "2", "--num_processes", "2", *address]
    both += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    module = ["-m", "kornia_srgan.train", "--config", str(path), "--output", str(tmp_path / "a")]
    machines = [
        subprocess.Popen(
            [*both, "--machine_rank", str(rank), *module],
            env=ENVIRONMENT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    errors = [machine.communicate(timeout=PATIENCE)[1] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], errors
    finish([*TWO, str(path), "--output", str(tmp_path / "b")])
    assert_same_run(tmp_path / "a", tmp_path / "b")


def test_a_launch_that_shards_networks_is_refused(recipe: Any, tmp_path: Path) -> None:
    """On a CPU Accelerate would train with DDP instead and not say so."""
    options = ["--use_fsdp", "--fsdp_version", "2", "--num_processes", "2", "--main_process_port", "0"]
    module = ["-m", "kornia_srgan.train", "--config", str(recipe()), "--output", str(tmp_path / "run")]
    result = subprocess.run(
        [*LAUNCH, *options, *module],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode != 0
    assert "accelerate's FSDP shards networks" in result.stderr
    assert "choose multi-GPU (DDP)" in result.stderr
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


LOAD = """
import sys

from kornia_srgan import load_generator
from kornia_srgan.errors import UserError
from kornia_srgan.registry.plugins import load_plugin

plugin, *weights = sys.argv[1:]
for path in weights:
    try:
        load_generator(path)
    except UserError as error:
        print(error)
load_plugin(plugin)
for path in weights:
    print(type(load_generator(path).module).__name__)
"""


def test_a_users_generator_trains_and_its_weights_load_again(tmp_path: Path) -> None:
    """The plug-in is named on the command line and in the recipe; a new process knows neither."""
    photos, plugins = make_photos(tmp_path / "photos"), [tmp_path / f"{n}_backbone.py" for n in ("my", "own")]
    doors = {"option": ["--plugin", plugins[0]], "config": ["--set", f"plugins=[{plugins[1]}]"]}
    for plugin, (door, naming) in zip(plugins, doors.items(), strict=True):  # a file is loaded only once
        plugin.write_text(PLUGIN)
        short = ["--set", "generator=my_backbone", "--set", "stages.0.steps=3", "--set", "stages.1.steps=2"]
        with GENERATORS.temporary():
            here("train", "tiny", "--data", photos, "--output", tmp_path / door, *short, *naming)
    weights = [str(tmp_path / door / "generator.safetensors") for door in doors]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(plugins[0]), *weights],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    without, with_it = done.stdout.splitlines()[:2], done.stdout.splitlines()[2:]
    assert len(without) == 2
    assert all("made by generator 'my_backbone' of plug-in" in line for line in without)
    assert all("--plugin" in line for line in without)
    assert with_it == ["MyBackbone", "MyBackbone"]


def test_accelerate_launch_and_the_command_are_the_same_run(recipe: Any, tmp_path: Path) -> None:
    path = recipe(stages__0__steps=4, stages__1__steps=4)
    here("train", path, "--output", tmp_path / "a")
    module = [*LAUNCH, "--cpu", "--num_processes", "1", "-m", "kornia_srgan.train"]
    finish([*module, "--config", str(path), "--output", str(tmp_path / "b")])
    assert_same_run(tmp_path / "a", tmp_path / "b")


def test_in_fp16_all_ranks_decide_alike(tmp_path: Path) -> None:
    """A loss that is bad on one rank makes the gradients of all bad: no rank may take it for an overflow."""
    script, output = Path(__file__).parents[1] / "helpers" / "fp16_ranks.py", tmp_path / "ranks.json"
    finish([*TORCHRUN_TWO, str(script), str(output)])
    one, two = json.loads(output.read_text())
    assert one["processes"] == 2
    assert one["steps"] == two["steps"]  # the parameters too, to the last bit
    assert [step["bad"] for step in one["steps"]] == [False, True, False, False, False]
    assert [step["skipped"] for step in one["steps"]] == [False, True, False, True, False]
    assert [step["scale"] for step in one["steps"]] == [2**12, 2**11, 2**11, 2**10, 2**10]

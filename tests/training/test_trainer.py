import json
import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType
from PIL import Image
from safetensors.torch import load_file

from kornia_srgan.assembly import load_generator
from kornia_srgan.config.io import load_config
from kornia_srgan.environment import git_revision
from kornia_srgan.errors import ConfigError, DataError, MissingExtraError, TrainingError, UserError
from kornia_srgan.training import run as run_module
from kornia_srgan.training import trainer as trainer_module
from kornia_srgan.training.hooks import StepEvent, StepHook
from kornia_srgan.training.run import train
from kornia_srgan.weights.files import read_spec
from tests.helpers.bad_losses import lose_at
from tests.helpers.runs import assert_equal_trees, assert_resumes_to_the_same_bytes, assert_same_run
from tests.helpers.training import (
    Killed,
    cpu_accelerator,
    killer,
    make_photos,
    small_config,
    state_of,
    tensors_equal,
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_photos(tmp_path / "photos")


def run(
    photos: Path, output: Path, *, resume: bool = False, on_step: StepHook = killer, **sections: Any
) -> bool:
    config = small_config(data__folders=[str(photos)], **sections)
    return train(config, output, resume=resume, accelerator=cpu_accelerator(), on_step=on_step)


def test_a_killed_run_resumes_to_the_same_bytes(photos: Path, tmp_path: Path, kill_at: Any) -> None:
    """Steps 0-5 are the first stage, 6-11 the second; checkpoints at 0, 4, 6, 8, 12."""
    small_run = partial(run, photos, train__checkpoint_every=4)
    assert_resumes_to_the_same_bytes(small_run, tmp_path, kill_at, 1, 5, 6, 7, 11)
    found = sorted(tmp_path.glob("killed-*/metrics.jsonl"))
    assert len(found) == 5
    for path in found:
        steps = [json.loads(line)["total"] for line in path.read_text().splitlines()]
        assert steps == [2, 4, 6, 8, 10, 12], path


LARGER_CROPS = {"stages__1__crop": 24, "stages__1__batch_size": 2, "train__checkpoint_every": 4}


def test_a_stage_with_its_own_crops_resumes_to_the_same_bytes(
    photos: Path, tmp_path: Path, kill_at: Any
) -> None:
    """On both sides of the border between the stages, which lies after step 5."""
    assert_resumes_to_the_same_bytes(partial(run, photos, **LARGER_CROPS), tmp_path, kill_at, 5, 6, 7, 9)


def test_a_stage_sees_its_own_crops_and_the_header_says_so(photos: Path, tmp_path: Path) -> None:
    seen = []

    def look(event: StepEvent) -> None:
        if event.result is not None:
            seen.append(tuple(event.crops.images.shape))

    run(photos, tmp_path / "run", on_step=look, **LARGER_CROPS)
    assert seen == [(4, 3, 16, 16)] * 6 + [(2, 3, 24, 24)] * 6
    training = load_generator(tmp_path / "run/generator.safetensors").spec.training
    assert training["stages"] == ["psnr: 6 steps", "gan: 6 steps, 2 crops of 24"]


def test_resuming_a_stage_with_its_own_crops_on_other_photographs_is_refused(
    photos: Path, tmp_path: Path
) -> None:
    run(photos, tmp_path / "run", **LARGER_CROPS)
    Image.new("RGB", (50, 50)).save(photos / "new.png")
    with pytest.raises(ConfigError, match=r"data\.(fingerprint|images) was"):
        run(photos, tmp_path / "run", resume=True, **LARGER_CROPS)


def test_a_hook_sees_every_step_before_and_after_it(photos: Path, tmp_path: Path) -> None:
    events: list[StepEvent] = []
    run(photos, tmp_path / "run", on_step=events.append)
    assert [e.progress.total for e in events] == [n for n in range(12) for _ in range(2)]
    assert [e.result is None for e in events] == [True, False] * 12
    assert all("g_grad_norm" in e.result.terms for e in events if e.result is not None)
    assert [e.stage.discriminator is not None for e in events] == [False] * 12 + [True] * 12
    assert all(len(e.crops.seeds) == 4 and e.average is not None for e in events)


def test_resuming_from_the_wrong_step_would_show(photos: Path, tmp_path: Path) -> None:
    """The comparison above can fail: another seed gives other bytes."""
    run(photos, tmp_path / "a", train__checkpoint_every=4)
    run(photos, tmp_path / "b", train__checkpoint_every=4, train__seed=1)
    with pytest.raises(AssertionError):
        assert_same_run(tmp_path / "a", tmp_path / "b")


def test_a_run_leaves_what_it_was(photos: Path, tmp_path: Path, plots: None) -> None:
    validation = make_photos(tmp_path / "val", 1)
    assert run(photos, tmp_path / "run", validation__folder=str(validation), validation__every=6)
    folder = tmp_path / "run"
    names = {p.name for p in folder.iterdir()}
    assert {
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "losses.png",
        "generator.safetensors",
    } <= names
    assert {"psnr.safetensors", "gan.safetensors", "best.safetensors", "checkpoints", "validation"} <= names
    assert not [n for n in names if n.endswith(".partial")]
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert {"mse", "g_grad_norm", "lr", "images_per_s"} <= lines[0].keys()
    assert [line["total"] for line in lines if "val_psnr" in line] == [6, 12]
    with Image.open(folder / "validation/step-00000012.png") as grid:
        assert grid.size == (3 * 192, 192)
    with Image.open(folder / "losses.png") as plot:
        assert plot.size[0] > 300
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert environment["git"] == (git_revision() or None)
    assert environment["command"]
    assert load_config(str(folder / "config.yaml")).train.lr == 1e-3
    loaded = load_generator(folder / "generator.safetensors")
    assert loaded.spec.name == "edsr"
    assert loaded.spec.training["steps"] == 12
    assert loaded.module(torch.rand(1, 3, 5, 7)).shape == (1, 3, 20, 28)


def test_the_second_stage_starts_from_the_average_of_the_first(photos: Path, tmp_path: Path) -> None:
    run(photos, tmp_path / "run", train__checkpoint_every=100)
    average = load_file(tmp_path / "run/psnr.safetensors")
    start = load_file(tmp_path / "run/checkpoints/step-00000006/model.safetensors")
    assert all(torch.equal(average[k], start[k]) for k in average)


def test_what_is_saved_is_the_average(photos: Path, tmp_path: Path) -> None:
    """After the GAN stage too: the last checkpoint holds the average beside the generator as it trained."""
    run(photos, tmp_path / "run", train__checkpoint_every=12)
    last = tmp_path / "run/checkpoints/step-00000012"
    trained = load_file(last / "model.safetensors")
    average = torch.load(last / "custom_checkpoint_0.pkl", weights_only=True)
    saved = load_file(tmp_path / "run/generator.safetensors")
    assert tensors_equal(saved, load_file(tmp_path / "run/gan.safetensors"))
    assert tensors_equal(saved, {k.removeprefix("module."): v for k, v in average.items()})
    assert not tensors_equal(saved, trained)


def test_the_adversarial_weight_is_ramped_up_in_a_run(photos: Path, tmp_path: Path) -> None:
    """The weight of each step of six, of a warm-up over four: 0, 1/4, 1/2, 3/4, 1, 1."""
    adversarial = {"name": "vanilla", "weight": 1e-2, "warmup_steps": 4}
    run(photos, tmp_path / "run", stages__1__adversarial=adversarial, train__log_every=1)
    lines = [json.loads(x) for x in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    terms = [line["adversarial"] for line in lines if line.get("stage") == "gan"]
    assert terms[0] == 0
    shares = [term / 1e-2 / 0.693 for term in terms]  # a new discriminator's loss is near log 2
    assert shares == pytest.approx([0, 0.25, 0.5, 0.75, 1, 1], abs=0.15)


def test_old_checkpoints_are_pruned(photos: Path, tmp_path: Path) -> None:
    run(photos, tmp_path / "run", train__checkpoint_every=2, train__keep_last=3)
    kept = sorted(p.name for p in (tmp_path / "run/checkpoints").iterdir())
    assert kept == ["step-00000008", "step-00000010", "step-00000012"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train__lr": 5e-4}, r"--resume: recipe\.train\.lr was 0\.001 in .* and is 0\.0005 now"),
        ({"generator": {"name": "srresnet", "args": {"num_blocks": 1}}}, r"recipe\.generator"),
        ({"stages__0__steps": 7}, r"recipe\.stages\.0\.steps was 6"),
    ],
)
def test_resuming_another_recipe_is_refused(
    photos: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    run(photos, tmp_path / "run")
    config = (tmp_path / "run/config.yaml").read_text()
    with pytest.raises(ConfigError, match=message):
        run(photos, tmp_path / "run", resume=True, **change)
    assert (tmp_path / "run/config.yaml").read_text() == config


def test_resuming_on_other_photographs_is_refused(photos: Path, tmp_path: Path) -> None:
    run(photos, tmp_path / "run")
    Image.new("RGB", (50, 50)).save(photos / "new.png")
    with pytest.raises(ConfigError, match=r"data\.(fingerprint|images) was"):
        run(photos, tmp_path / "run", resume=True)


def test_processes_that_see_different_checkpoints_are_refused(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second machine with an output folder of its own would start while the first one goes on."""
    run(photos, tmp_path / "run")
    monkeypatch.setattr(run_module, "gather_object", lambda mine: [*mine, "none"])
    with pytest.raises(ConfigError, match=r"see different checkpoints in .*: step-00000012, none; give all"):
        run(photos, tmp_path / "run", resume=True)


def test_a_folder_that_holds_a_run_is_not_overwritten(photos: Path, tmp_path: Path) -> None:
    run(photos, tmp_path / "run")
    with pytest.raises(DataError, match="already holds a run; add --resume"):
        run(photos, tmp_path / "run")


def test_resuming_a_finished_run_does_nothing_more(photos: Path, tmp_path: Path) -> None:
    run(photos, tmp_path / "run", train__checkpoint_every=4)
    before = load_file(tmp_path / "run/generator.safetensors")
    assert run(photos, tmp_path / "run", resume=True, train__checkpoint_every=4)
    assert_equal_trees(before, load_file(tmp_path / "run/generator.safetensors"), "generator")


@pytest.fixture
def file_limit() -> Iterator[Callable[[int], None]]:
    """Lets no file of this process grow beyond a size: the system refuses the write, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("size", "told"),
    [(64, "Error while serializing"), (30_000, "PytorchStreamWriter|unexpected pos")],
    ids=["networks", "optimizer"],
)
def test_a_full_disk_loses_no_earlier_checkpoint(
    size: int,
    told: str,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file_limit: Callable[[int], None],
) -> None:
    """Writes that the system refuses, of safetensors and of torch, which raise errors of their own."""
    original, saved = Accelerator.save_state, []

    def save_state(self: Accelerator, folder: str, **kwargs: Any) -> Any:
        saved.append(folder)
        if len(saved) == 2:
            file_limit(size)
        return original(self, folder, **kwargs)

    monkeypatch.setattr(Accelerator, "save_state", save_state)
    message = rf"step-00000004 could not be written: .*({told}).*; the newest complete one is .*step-00000000"
    with pytest.raises(TrainingError, match=message):
        run(photos, tmp_path / "run")
    file_limit(-1)
    monkeypatch.undo()
    assert [p.name for p in (tmp_path / "run/checkpoints").iterdir()] == ["step-00000000"]
    assert run(photos, tmp_path / "run", resume=True)


def test_a_full_disk_is_named_as_such(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In torch's own words it is `unexpected pos 64 vs 0`."""

    def save_state(self: Accelerator, folder: str, **kwargs: Any) -> None:
        raise RuntimeError("unexpected pos 64 vs 0")

    monkeypatch.setattr(Accelerator, "save_state", save_state)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=4096))
    with pytest.raises(TrainingError, match=r"written: no space is left on the disk; there is none yet"):
        run(photos, tmp_path / "run")
    assert list((tmp_path / "run/checkpoints").iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's disk that is always full")
def test_a_log_that_cannot_be_written_says_so(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/metrics.jsonl").symlink_to("/dev/full")
    with pytest.raises(TrainingError, match=r"metrics\.jsonl could not be written: No space left on device"):
        run(photos, tmp_path / "run")


def test_half_a_line_of_a_killed_run_is_forgotten(photos: Path, tmp_path: Path, kill_at: Any) -> None:
    kill_at(5)
    with pytest.raises(Killed):
        run(photos, tmp_path / "run")
    log = tmp_path / "run/metrics.jsonl"
    log.write_text(log.read_text() + '{"stage": "psnr", "st')
    kill_at(-1)
    assert run(photos, tmp_path / "run", resume=True)
    assert [json.loads(line)["total"] for line in log.read_text().splitlines()] == [2, 4, 6, 8, 10, 12]


@pytest.mark.parametrize(
    ("loss", "named"),
    [
        (lambda sr, hr: (sr - hr).mean() * float("nan"), r"'mse' is not finite; Function 'MulBackward0'"),
        # Finite itself; the root's slope at zero is not.
        (lambda sr, hr: ((sr - sr) ** 2).sqrt().mean(), r"a gradient is not finite; Function '\w+Backward0'"),
    ],
    ids=["loss", "gradient"],
)
@pytest.mark.filterwarnings("ignore:Anomaly Detection", "ignore:Error detected")
def test_detect_anomaly_names_the_first_bad_term_and_the_operation(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: Any, named: str
) -> None:
    from kornia_srgan.components.losses.pixel import MSELoss

    monkeypatch.setattr(MSELoss, "forward", lambda self, sr, hr: loss(sr, hr))
    with pytest.raises(TrainingError, match=rf"train\.detect_anomaly: {named}"):
        run(photos, tmp_path / "run", train__detect_anomaly=True)
    assert not torch.is_anomaly_enabled()


def test_numbers_that_stay_bad_roll_back_and_then_give_up(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kornia_srgan.components.losses.pixel import MSELoss

    monkeypatch.setattr(MSELoss, "forward", lambda self, sr, hr: (sr - hr).mean() * float("nan"))
    monkeypatch.setattr(trainer_module, "BAD_STEPS_BEFORE_ROLLBACK", 2)
    with pytest.raises(TrainingError, match=r"'mse' stayed non-finite through 3 rollbacks; lower train\.lr"):
        run(photos, tmp_path / "run")
    printed = capsys.readouterr().err
    assert "back to step 0 with the learning rate times 0.5" in printed
    assert "back to step 0 with the learning rate times 0.125" in printed


def test_a_passing_fault_is_survived_with_a_smaller_rate(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_at(monkeypatch, (2, 3))
    assert run(photos, tmp_path / "run", stages__0__schedule={"name": "constant"})
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines if "event" in line] == ["non-finite mse"] * 2
    assert {line["lr"] for line in lines if line.get("stage") == "psnr"} == {5e-4}


def test_a_resumed_run_rolls_back_to_a_still_smaller_rate(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: Any
) -> None:
    """Half from before the checkpoint at 4, and half of it again after the resumption."""
    sections = {"stages__0__schedule": {"name": "constant"}, "train__log_every": 1}
    lose_at(monkeypatch, (2, 3))
    kill_at(5)
    with pytest.raises(Killed):
        run(photos, tmp_path / "run", **sections)
    kill_at(-1)
    lose_at(monkeypatch, (1, 2))
    assert run(photos, tmp_path / "run", resume=True, **sections)
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    rates = {line["total"]: line["lr"] for line in lines if line.get("stage") == "psnr"}
    assert rates == {1: 5e-4, 2: 5e-4, 3: 5e-4, 4: 5e-4, 5: 2.5e-4, 6: 2.5e-4}


def test_the_average_is_one(photos: Path, tmp_path: Path) -> None:
    """Between the smallest and the largest that each weight has been, and not where it is now."""
    states: list[dict[str, torch.Tensor]] = []

    def look(event: StepEvent) -> None:
        if event.progress.stage == 0 and (event.result is not None or not states):
            states.append(state_of(event.stage.generator.plain))

    run(photos, tmp_path / "run", on_step=look, train__ema_decay=0.5)
    average = load_file(tmp_path / "run/psnr.safetensors")
    assert len(states) == 7
    for name, value in average.items():
        series = torch.stack([state[name] for state in states])
        assert bool((value >= series.amin(0) - 1e-6).all()), name
        assert bool((value <= series.amax(0) + 1e-6).all()), name
    assert not tensors_equal(average, states[0])
    assert not tensors_equal(average, states[-1])


def test_damaged_files_are_named_once_and_an_empty_folder_is_an_error(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (photos / "broken.png").write_text("not an image")
    with caplog.at_level(logging.WARNING, "kornia_srgan"):
        run(photos, tmp_path / "run")
    assert sum("broken.png" in message for message in caplog.messages) == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        run(tmp_path / "empty", tmp_path / "other")


def test_no_data_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give --data DIR"):
        train(small_config(), tmp_path / "run", accelerator=cpu_accelerator())


def test_a_tracker_that_is_not_there_is_an_error_before_the_first_step(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown tracker 'tensorbord'; did you mean 'tensorboard'"):
        run(photos, tmp_path / "run", train__trackers=["tensorbord"])
    assert not (tmp_path / "run").exists()


def test_a_known_tracker_that_is_not_installed_is_an_error(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accelerate.tracking.get_available_trackers", list)
    with pytest.raises(MissingExtraError, match="'wandb' is not installed; pip install wandb"):
        run(photos, tmp_path / "run", train__trackers=["wandb"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_that_cannot_be_written(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(DataError, match="cannot be written"):
        run(photos, tmp_path / "locked/run")


def test_an_output_that_is_a_file(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"output folder .*file.* cannot be written"):
        run(photos, tmp_path / "file")


def test_a_batch_that_cannot_be_shared_out(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train\.batch_size 4 cannot be shared .* multiple of 3"):
        run(photos, tmp_path / "run", train__accumulate=3)
    with pytest.raises(ConfigError, match=r"stages\.1\.batch_size 3 cannot be shared .* multiple of 2"):
        run(photos, tmp_path / "run", train__accumulate=2, stages__1__batch_size=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"generator": {"name": "edsr", "args": {"chanels": 8}}},
        {"stages__1__discriminator": "vggg"},
        {"data__resizer": "nope"},
        {"init": "nowhere.safetensors"},
        {"validation__folder": "nowhere"},
    ],
)
def test_what_is_wrong_leaves_no_run_folder(photos: Path, tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        run(photos, tmp_path / "some/run", **wrong)
    assert not (tmp_path / "some").exists()


def test_sharding_strategies_are_refused(photos: Path, tmp_path: Path) -> None:
    class Sharded:
        distributed_type = DistributedType.FSDP
        num_processes = 2

    config = small_config(data__folders=[str(photos)])
    with pytest.raises(ConfigError, match=r"FSDP shards networks.* choose multi-GPU"):
        train(config, tmp_path / "run", accelerator=Sharded())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("variable", "strategy"),
    [("ACCELERATE_USE_FSDP", "FSDP"), ("ACCELERATE_USE_DEEPSPEED", "DeepSpeed")],
)
def test_sharding_asked_of_the_launcher_is_refused(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, strategy: str
) -> None:
    monkeypatch.setenv(variable, "true")
    with pytest.raises(ConfigError, match=f"accelerate's {strategy} shards networks"):
        train(small_config(data__folders=[str(photos)]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_needs_its_init_no_more(
    photos: Path, tmp_path: Path, kill_at: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """All is in the checkpoint: the file may have moved, and nothing is said of it again."""
    run(photos, tmp_path / "first", scale=2)
    weights = tmp_path / "first/generator.safetensors"
    run(photos, tmp_path / "whole", init=str(weights))
    kill_at(5)
    with pytest.raises(Killed):
        run(photos, tmp_path / "killed", init=str(weights))
    kill_at(-1)
    assert f" tensors from {weights} (x2)" in capsys.readouterr().err
    weights.unlink()
    assert run(photos, tmp_path / "killed", resume=True, init=str(weights))
    assert "init:" not in capsys.readouterr().err
    assert_same_run(tmp_path / "whole", tmp_path / "killed")
    assert read_spec(tmp_path / "killed/generator.safetensors").training["init"] == weights.name
    assert str(weights) in (tmp_path / "killed/config.yaml").read_text()
    with pytest.raises(UserError, match="not found"):  # a run without a checkpoint still starts from it
        run(photos, tmp_path / "other", resume=True, init=str(weights))


def test_init_starts_from_weights_and_refuses_those_of_another_model(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(photos, tmp_path / "first")
    weights = str(tmp_path / "first/generator.safetensors")
    run(photos, tmp_path / "second", init=weights, train__checkpoint_every=100)
    start = load_file(tmp_path / "second/checkpoints/step-00000000/model.safetensors")
    assert_equal_trees(start, load_file(weights), "init")
    told = read_spec(tmp_path / "second/generator.safetensors").training["init"]
    assert told == "generator.safetensors"  # not the folders of this machine
    run(photos, tmp_path / "other_scale", init=weights, train__checkpoint_every=100, scale=2)
    said = capsys.readouterr().err
    start = load_file(tmp_path / "other_scale/checkpoints/step-00000000/model.safetensors")
    fits = {k: v for k, v in load_file(weights).items() if start[k].shape == v.shape}
    assert 0 < len(fits) < len(start)
    assert_equal_trees({k: start[k] for k in fits}, fits, "init of another scale")
    assert f"init: {len(fits)} tensors from {weights} (x4)" in said
    assert all(k in said for k in start.keys() - fits.keys())
    with pytest.raises(UserError, match=r"init: .* holds edsr x4, the run trains srresnet x4"):
        run(
            photos,
            tmp_path / "third",
            init=weights,
            generator={"name": "srresnet", "args": {"num_blocks": 1}},
        )

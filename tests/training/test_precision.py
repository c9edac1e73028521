"""What a run computes in: the choice for a device, float16's refusal, bf16 through both stages."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import DynamoBackend
from torch import Tensor, nn

from kornia_srgan.components.losses.pixel import L1Loss, MSELoss
from kornia_srgan.config.io import load_config
from kornia_srgan.errors import ConfigError
from kornia_srgan.registry.catalog import IMAGE_LOSSES
from kornia_srgan.training.determinism import deterministic_kernels
from kornia_srgan.training.identity import run_identity
from kornia_srgan.training.launch import make_accelerator, on_cpu, prepared_process, resolve_precision
from kornia_srgan.training.players import prepare_stage, unwrap_player
from kornia_srgan.training.run import train
from kornia_srgan.training.run_folder import RunFolder
from kornia_srgan.training.stage import train_step
from kornia_srgan.training.trainer import Trainer
from kornia_srgan.weights.files import read_spec
from tests.helpers.batches import random_batch
from tests.helpers.half import fresh_state, restored_switches
from tests.helpers.runs import assert_resumes_to_the_same_bytes
from tests.helpers.training import cpu_accelerator, killer, make_photos, small_components, small_config


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    with restored_switches(), fresh_state():
        yield


@pytest.fixture
def pretend_gpu(monkeypatch: pytest.MonkeyPatch):
    """A CUDA GPU of a compute capability, as far as questions about it go; nothing can be put on it."""

    def pretend(major: int) -> None:
        monkeypatch.setattr(torch.version, "hip", None)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        properties = type("Properties", (), {"major": major})
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
        # Older cards make bf16 tensors too: they emulate them.
        monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)

    return pretend


@pytest.mark.parametrize(("major", "chosen"), [(7, "no"), (8, "bf16"), (9, "bf16")])
def test_auto_is_bf16_where_the_gpu_computes_it(pretend_gpu: Any, major: int, chosen: str) -> None:
    pretend_gpu(major)
    assert resolve_precision("auto") == chosen
    assert resolve_precision("fp16") == "fp16"
    assert resolve_precision("no") == "no"


def test_a_cpu_computes_in_float32_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert resolve_precision("auto") == "no"
    assert resolve_precision("bf16") == "bf16"
    with pytest.raises(ConfigError, match=r"train\.precision: fp16 needs a GPU; use 'no' or 'bf16'"):
        resolve_precision("fp16")


def test_a_launch_on_the_cpu_leaves_the_gpu_alone(pretend_gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`accelerate launch --cpu` on a machine with a GPU; Accelerate itself would drop fp16 without a word."""
    pretend_gpu(9)
    assert not on_cpu()
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert on_cpu()
    assert resolve_precision("auto") == "no"
    with pytest.raises(ConfigError, match="fp16 needs a GPU"):
        resolve_precision("fp16")


def switches() -> tuple[str, bool, bool]:
    cudnn = torch.backends.cudnn
    return torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.benchmark


def turn_off() -> None:
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = False


def test_a_gpu_gets_tf32_and_cudnn_benchmark(
    pretend_gpu: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The real function; the Accelerator alone is one for the CPU, since a GPU is only pretended."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        "kornia_srgan.training.launch.Accelerator", lambda **kwargs: asked.update(kwargs) or cpu_accelerator()
    )
    turn_off()
    config = small_config(train__precision="auto")
    with prepared_process(config):
        make_accelerator(config, RunFolder(tmp_path))
        assert switches() == ("highest", False, False)  # no GPU, nothing switched
    assert (asked["cpu"], asked["mixed_precision"]) == (True, "no")
    pretend_gpu(8)
    with prepared_process(config):
        make_accelerator(config, RunFolder(tmp_path))
        assert switches() == ("high", True, True)
    assert switches() == ("highest", False, False)  # put back
    assert (asked["cpu"], asked["mixed_precision"]) == (False, "bf16")
    make_accelerator(small_config(train__precision="fp16"), RunFolder(tmp_path))
    assert asked["mixed_precision"] == "fp16"


def test_ranks_keep_their_buffers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On torch 2.11 rank 0's, arriving between two forwards, spoil the backward of both."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    handler = make_accelerator(small_config(), RunFolder(tmp_path)).ddp_handler
    assert handler is not None
    assert not handler.broadcast_buffers


def test_the_recipe_decides_and_not_the_launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Accelerate would divide every loss by the launcher's accumulation and wrap what it compiles."""
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    accelerator = make_accelerator(small_config(train__precision="no"), RunFolder(tmp_path))
    assert accelerator.gradient_accumulation_steps == 1
    assert accelerator.state.dynamo_plugin.backend == DynamoBackend.NO
    assert accelerator.mixed_precision == "no"
    loss = torch.ones((), requires_grad=True)
    accelerator.backward(loss * 8)
    assert loss.grad == 8


@pytest.mark.parametrize("channels_last", [None, False])
def test_channels_last_is_the_default(channels_last: bool | None) -> None:
    sections = {} if channels_last is None else {"train__channels_last": channels_last}
    assert load_config("srgan").train.channels_last
    components = small_components(**sections)
    accelerator = cpu_accelerator()
    stage = prepare_stage(
        components.generator, components.stages[1], small_config(**sections).train, accelerator
    )
    assert stage.discriminator is not None
    for player in (stage.generator, stage.discriminator):
        kernels = [p for p in player.parameters if p.ndim == 4 and p.shape[1] > 1 and p.shape[-1] > 1]
        assert kernels
        for kernel in kernels:
            last = kernel.is_contiguous(memory_format=torch.channels_last)
            assert last == (channels_last is None)


def watch(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[tuple[str, torch.dtype]]]:
    """What the networks' first convolution makes and what the losses are given, by stage."""
    seen: dict[str, set[tuple[str, torch.dtype]]] = {"psnr": set(), "gan": set()}
    original = Trainer._prepare
    now = [""]

    def prepare(self: Trainer, components: Any) -> Any:
        stage = original(self, components)
        now[0] = components.config.name
        for name in ("generator", "discriminator"):
            player = getattr(stage, name)
            if player is not None:
                first = next(m for m in player.plain.modules() if isinstance(m, nn.Conv2d))
                note = seen[now[0]]
                first.register_forward_hook(lambda _, __, y, name=name, note=note: note.add((name, y.dtype)))
        return stage

    def watched(forward: Any) -> Any:
        def call(self: Any, sr: Tensor, hr: Tensor) -> Tensor:
            loss = forward(self, sr, hr)
            seen[now[0]] |= {("loss", sr.dtype), ("loss", hr.dtype), ("loss", loss.dtype)}
            return loss

        return call

    monkeypatch.setattr(Trainer, "_prepare", prepare)
    for kind in (MSELoss, L1Loss):
        monkeypatch.setattr(kind, "forward", watched(kind.forward))
    return seen


def test_bf16_holds_in_every_stage_and_losses_stay_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accelerate would not wrap the generator for a second stage."""
    seen = watch(monkeypatch)
    photos = make_photos(tmp_path / "photos")
    config = small_config(data__folders=[str(photos)], train__precision="bf16", train__ema_decay=0)
    assert train(config, tmp_path / "run")
    assert seen["psnr"] == {("generator", torch.bfloat16), ("loss", torch.float32)}
    assert seen["gan"] == seen["psnr"] | {("discriminator", torch.bfloat16)}


def test_what_a_stage_hands_on_is_the_plain_network() -> None:
    """Without autocast, and with a `forward` that a copy, such as the running average, has for itself."""
    accelerator = Accelerator(cpu=True, mixed_precision="bf16")
    components = small_components()
    stage = prepare_stage(components.generator, components.stages[0], small_config().train, accelerator)
    dtypes: list[torch.dtype] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        dtypes.append(output.dtype)

    next(m for m in stage.generator.plain.modules() if isinstance(m, nn.Conv2d)).register_forward_hook(note)
    lr = torch.rand(1, 3, 4, 4)
    stage.generator.prepared(lr)
    module = unwrap_player(stage.generator, accelerator)
    assert module is components.generator
    expected = module(lr)
    assert dtypes == [torch.bfloat16, torch.float32]
    average = copy.deepcopy(module)
    for parameter in module.parameters():
        parameter.detach().zero_()
    assert torch.equal(average(lr), expected)


def test_a_bf16_run_resumes_to_the_same_bytes(tmp_path: Path, kill_at: Any) -> None:
    photos = make_photos(tmp_path / "photos")
    config = small_config(data__folders=[str(photos)], train__precision="bf16", train__checkpoint_every=4)

    def run(output: Path, *, resume: bool = False) -> bool:
        with fresh_state():
            return train(config, output, resume=resume, on_step=killer)

    assert_resumes_to_the_same_bytes(run, tmp_path, kill_at, 5, 7, 10)


class Recorded:
    """A compiler that counts and compiles nothing."""

    def __init__(self) -> None:
        self.graphs = 0

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.graphs += 1
        return graph.forward


def test_compile_is_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both networks are compiled, and no saved key has a prefix."""
    backend, original = Recorded(), nn.Module.compile
    monkeypatch.setattr(nn.Module, "compile", lambda self: original(self, backend=backend))
    plain = small_components().generator.state_dict().keys()
    components = small_components(train__compile=True)
    train_config = small_config(train__compile=True).train
    accelerator = cpu_accelerator()
    stage = prepare_stage(components.generator, components.stages[1], train_config, accelerator)
    assert not train_step(stage, [random_batch()], accelerator).bad
    assert backend.graphs >= 2
    assert stage.generator.plain.state_dict().keys() == plain
    assert stage.discriminator is not None
    assert not any("_orig_mod" in key for key in stage.discriminator.plain.state_dict())


@pytest.mark.parametrize("deterministic", [False, True])
def test_deterministic_kernels_are_taken_where_asked_for(
    pretend_gpu: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, deterministic: bool
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    pretend_gpu(8)
    with prepared_process(small_config(train__deterministic=deterministic)):
        assert torch.are_deterministic_algorithms_enabled() == deterministic
        assert torch.backends.cudnn.benchmark != deterministic  # it would choose by what is fastest today
        assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == (":4096:8" if deterministic else None)
    assert not torch.are_deterministic_algorithms_enabled()
    assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ


def test_a_run_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    """And in no precision: the next run in the same process has its own."""
    photos = make_photos(tmp_path / "photos")
    before = dict(os.environ), switches()
    for precision in ("bf16", "no"):
        config = small_config(data__folders=[str(photos)], train__precision=precision)
        assert train(config, tmp_path / precision)
        assert (dict(os.environ), switches()) == before
        header = read_spec(tmp_path / precision / "generator.safetensors")
        assert header.training["precision"] == precision


def test_an_error_puts_the_switches_back_too(pretend_gpu: Any) -> None:
    turn_off()
    pretend_gpu(8)

    def fail() -> None:
        with prepared_process(small_config(train__deterministic=True)):
            os.environ["ACCELERATE_SOMETHING"] = "1"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert switches() == ("highest", False, False)
    assert not torch.are_deterministic_algorithms_enabled()
    assert "ACCELERATE_SOMETHING" not in os.environ


@pytest.mark.parametrize("raises", [False, True])
def test_train_puts_all_switches_back(
    pretend_gpu: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, raises: bool
) -> None:
    """`train` itself, after it returns and after it raises; its work is a look at what it switched on."""
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.delenv("ACCELERATE_OTHER", raising=False)
    monkeypatch.setattr("kornia_srgan.training.run.make_accelerator", lambda *_: None)
    turn_off()
    pretend_gpu(8)
    seen = []

    def work(*_: Any, resume: bool) -> bool:
        os.environ["ACCELERATE_MIXED_PRECISION"] = os.environ["ACCELERATE_OTHER"] = "bf16"
        seen.append(switches())
        if raises:
            raise RuntimeError
        return not resume

    monkeypatch.setattr("kornia_srgan.training.run._run", work)
    before = dict(os.environ), switches()
    with pytest.raises(RuntimeError) if raises else nullcontext():
        train(small_config(data__folders=[str(tmp_path)]), tmp_path / "run")
    assert seen == [("high", True, True)]
    assert (dict(os.environ), switches()) == before


class Unordered(nn.Module):
    """A loss with an operation for which torch has no deterministic kernel anywhere."""

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        return sr.put(torch.tensor([0]), hr.new_zeros(1)).mean()


def test_an_operation_without_a_deterministic_kernel_is_named(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos")
    with IMAGE_LOSSES.temporary():
        IMAGE_LOSSES.register("unordered", summary="none")(Unordered)
        config = small_config(data__folders=[str(photos)], stages__0__losses=["unordered"])
        told = pytest.raises(ConfigError, match=r"train\.deterministic: put_? does not have a deterministic")
        with deterministic_kernels(), told:
            train(config, tmp_path / "run", accelerator=cpu_accelerator())


def test_a_run_begun_with_other_kernels_is_not_continued(tmp_path: Path) -> None:
    """Those of before there was a choice are as if it had been left out."""
    plain, chosen = (run_identity(small_config(train__deterministic=d), 1) for d in (False, True))
    assert "recipe.train.deterministic" not in plain
    assert chosen == {**plain, "recipe.train.deterministic": True}

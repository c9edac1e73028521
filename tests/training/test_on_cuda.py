"""Whole runs on CUDA, in every precision and from every cache.

On a machine without a GPU the device is pretended, see `tests.helpers.pretend_cuda`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import Tensor, nn

from kornia_srgan.components.losses.pixel import L1Loss
from kornia_srgan.training import run as run_module
from kornia_srgan.training.hooks import StepEvent, StepHook
from kornia_srgan.training.run import train
from kornia_srgan.weights.files import read_spec
from tests.helpers.half import fresh_state, restored_switches
from tests.helpers.runs import assert_resumes_to_the_same_bytes, assert_same_run
from tests.helpers.tolerances import assert_near
from tests.helpers.training import killer, make_photos, small_config


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    with restored_switches(), fresh_state():
        yield


PERCEPTUAL = {
    "name": "perceptual",
    "args": {
        "extractor": {"name": "timm", "args": {"model": "resnet18", "layers": [0], "weights": "random"}}
    },
}


def run(output: Path, *, resume: bool = False, on_step: StepHook = killer, **sections: Any) -> bool:
    photos = make_photos(output.parent / "photos")
    scored = make_photos(output.parent / "scored", count=2)  # on a pretended device a score takes long
    config = small_config(
        data__folders=[str(photos)], validation__folder=str(scored), validation__every=5, **sections
    )
    with fresh_state():
        return train(config, output, resume=resume, on_step=on_step)


def switches() -> tuple[str, bool]:
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


class Seen:
    """Devices and dtypes in a run: with its Accelerator, whether that has a scaler."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.accelerators: list[tuple[str, bool]] = []
        self.crops: set[str] = set()
        self.switches: set[tuple[str, bool]] = set()
        self.convolutions: set[torch.dtype] = set()
        self.losses: set[tuple[str, torch.dtype]] = set()
        make, loss = run_module.make_accelerator, L1Loss.forward

        def made(*args: Any) -> Accelerator:
            accelerator = make(*args)
            self.accelerators.append((accelerator.device.type, accelerator.scaler is not None))
            return accelerator

        def lost(this: Any, sr: Tensor, hr: Tensor) -> Tensor:
            value = loss(this, sr, hr)
            self.losses |= {(t.device.type, t.dtype) for t in (sr, hr, value)}
            return value

        monkeypatch.setattr(run_module, "make_accelerator", made)
        monkeypatch.setattr(L1Loss, "forward", lost)

    def __call__(self, event: StepEvent) -> None:
        """Watch the generator's first convolution during each step."""
        if event.result is not None:
            self._hook.remove()
            return
        self.switches.add(switches())
        self.crops.add(event.crops.images.device.type)
        convolution = next(m for m in event.stage.generator.plain.modules() if isinstance(m, nn.Conv2d))
        self._hook = convolution.register_forward_hook(lambda _, __, y: self.convolutions.add(y.dtype))


@pytest.mark.parametrize(
    ("precision", "computed"),
    [("no", torch.float32), ("auto", torch.bfloat16), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_a_run_in_every_precision(
    cuda: torch.device,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    computed: torch.dtype,
    plots: None,
) -> None:
    seen, before = Seen(monkeypatch), switches()
    losses = ["l1", PERCEPTUAL]
    assert run(tmp_path / "run", on_step=seen, train__precision=precision, stages__1__losses=losses)
    assert seen.accelerators == [("cuda", precision == "fp16")]
    assert seen.crops == {"cuda"}
    assert seen.convolutions == {computed}
    assert seen.losses == {("cuda", torch.float32)}
    assert seen.switches == {("high", True)}
    assert switches() == before
    weights = load_file(tmp_path / "run" / "generator.safetensors")
    assert all(t.dtype == torch.float32 and t.isfinite().all() for t in weights.values())
    training = read_spec(tmp_path / "run" / "generator.safetensors").training
    assert training["device"] == torch.cuda.get_device_name(cuda)
    assert training["precision"] == {"auto": "bf16"}.get(precision, precision)
    assert (tmp_path / "run" / "losses.png").is_file()


def test_every_cache_gives_the_same_run(cuda: torch.device, tmp_path: Path) -> None:
    kernels = {"train__deterministic": True}
    run(tmp_path / "ram", data__cache="ram", **kernels)
    for cache in ("none", "device", "auto"):
        run(tmp_path / cache, data__cache=cache, data__workers=0, **kernels)
        assert_same_run(tmp_path / "ram", tmp_path / cache)


def test_cuda_learns_what_the_cpu_learns(
    cuda: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "cuda")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    run(tmp_path / "cpu")
    one, two = (load_file(tmp_path / name / "psnr.safetensors") for name in ("cuda", "cpu"))
    for key, value in one.items():
        assert_near(value, two[key], "training on CUDA", key)


@pytest.mark.parametrize(
    ("precision", "killed_at"), [("no", (7,)), ("bf16", (10,)), ("fp16", (5, 7, 10))], ids=str
)
def test_a_killed_run_resumes_to_the_same_bytes(
    cuda: torch.device, tmp_path: Path, kill_at: Any, precision: str, killed_at: tuple[int, ...]
) -> None:
    sections = {"train__precision": precision, "train__deterministic": True, "data__cache": "device"}
    assert_resumes_to_the_same_bytes(partial(run, **sections), tmp_path, kill_at, *killed_at)
    scalers = list(tmp_path.glob("*/checkpoints/step-00000012/scaler.pt"))
    assert len(scalers) == (1 + len(killed_at) if precision == "fp16" else 0)

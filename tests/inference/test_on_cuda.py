"""Enlarging on CUDA, as a library and as a command; see `tests.helpers.pretend_cuda` for machines without."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from kornia_srgan.benchmarking import cost
from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.components.generators.srresnet import SRResNet
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.optimize.cuda_graph import CudaGraphed
from kornia_srgan.optimize.optimize import optimize_for_inference
from tests.helpers.runner import invoke
from tests.helpers.tolerances import assert_near

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 45, 3), np.uint8)


@pytest.fixture
def generator() -> nn.Module:
    torch.manual_seed(0)
    return SRResNet(channels=8, num_blocks=2).eval()


def grey_levels(a: Any, b: Any) -> int:
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


@pytest.mark.parametrize("tile", [0, 16, "auto"])
@pytest.mark.parametrize(("dtype", "off"), [("float32", 1), ("auto", 2), ("bfloat16", 12)])
def test_cuda_is_taken_by_itself_and_gives_the_image_of_the_cpu(
    cuda: torch.device, generator: nn.Module, tile: Any, dtype: str, off: int
) -> None:
    expected = Upscaler(generator, tile=tile, device="cpu")(PIXELS)
    upscaler = Upscaler(generator, tile=tile, dtype=dtype)
    assert upscaler.device.type == "cuda"
    assert upscaler.dtype == {"auto": torch.float16, "bfloat16": torch.bfloat16}.get(dtype, torch.float32)
    assert next(upscaler.generator.parameters()).device.type == "cuda"
    assert grey_levels(upscaler(PIXELS), expected) <= off
    picture = Image.fromarray(np.dstack([PIXELS, PIXELS[..., :1]]))
    transparent = Upscaler(generator, tile=tile, device="cpu")(picture)
    assert grey_levels(upscaler(picture), transparent) <= off


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_tensors_come_back_to_where_they_were(cuda: torch.device, generator: nn.Module, where: str) -> None:
    upscaler = Upscaler(generator, device=cuda, tile=16)
    images = torch.rand(2, 3, 19, 23, generator=torch.Generator().manual_seed(0))
    result = upscaler(images.to(where))
    assert result.device.type == where
    assert_near(result.cpu(), Upscaler(generator, device="cpu")(images), "network")


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_gradients_come_back_to_where_the_image_was(
    cuda: torch.device, generator: nn.Module, where: str
) -> None:
    gradients = []
    for device, target in ((cuda, where), ("cpu", "cpu")):
        image = torch.rand(1, 3, 9, 8, generator=torch.Generator().manual_seed(0)).to(target).requires_grad_()
        result = Upscaler(generator, device=device)(image, differentiable=True)
        assert result.device.type == target
        result.square().sum().backward()
        assert image.grad is not None
        assert image.grad.device.type == target
        gradients.append(image.grad.cpu())
    assert_near(*gradients, "gradient on CUDA")


class Hungry(nn.Module):
    """Runs out of the memory of CUDA for more than so many pixels; on the CPU it never does."""

    seen: ClassVar[list[tuple[str, int]]] = []  # also of its copies

    def __init__(self, generator: nn.Module, most: int) -> None:
        super().__init__()
        self.generator, self.most = generator, most
        self.scale, self.halo = 4, 4

    def forward(self, lr: Tensor) -> Tensor:
        pixels = lr.shape[-2] * lr.shape[-1]
        self.seen.append((lr.device.type, pixels))
        if lr.device.type == "cuda" and pixels > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.generator(lr)


@pytest.mark.parametrize(("most", "last"), [(700, "cuda"), (100, "cpu")])
def test_what_does_not_fit_is_halved_and_at_last_done_on_the_cpu(
    cuda: torch.device, most: int, last: str
) -> None:
    torch.manual_seed(0)
    generator = EDSR(channels=8, num_blocks=1).eval()
    expected = Upscaler(generator, device="cpu")(PIXELS)
    hungry = Hungry(generator, most)
    upscaler = Upscaler(hungry, device=cuda, tile=32)
    Hungry.seen.clear()
    assert grey_levels(upscaler(PIXELS), expected) <= 1
    assert ("cuda", 36 * 36) in Hungry.seen
    done_on = {where for where, pixels in Hungry.seen if where == "cpu" or pixels <= most}
    assert last in done_on


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("kind", [EDSR, SRResNet])
def test_a_graph_gives_the_plain_image(cuda: torch.device, kind: Any, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = kind(channels=8, num_blocks=1).to(cuda).eval().requires_grad_(False)
    ready = optimize_for_inference(net, dtype=dtype, graph_shape=(1, 3, 8, 8))
    assert isinstance(ready, CudaGraphed)
    assert (ready.scale, ready.halo) == (4, net.halo)
    results = []
    for seed, shape in enumerate(((1, 3, 8, 8), (1, 3, 8, 8), (1, 3, 5, 7), (2, 3, 8, 8), (1, 3, 8, 8))):
        lr = torch.rand(shape, generator=torch.Generator().manual_seed(seed)).to(cuda)
        results.append((ready(lr.to(dtype)), net(lr)))
    for found, expected in results:  # a later replay leaves an earlier result alone
        assert found.dtype == dtype
        assert_near(found, expected, dtype)


def test_a_graph_runs_no_code_of_the_generator(cuda: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    net = EDSR(channels=8, num_blocks=1).to(cuda).eval().requires_grad_(False)
    ready = CudaGraphed(net, (1, 3, 8, 8))
    calls: list[torch.Size] = []
    net.register_forward_pre_hook(lambda _, inputs: calls.append(inputs[0].shape))
    ready(torch.rand(1, 3, 8, 8, device=cuda))
    assert calls == []
    ready(torch.rand(1, 3, 8, 9, device=cuda))
    assert calls == [(1, 3, 8, 9)]


@pytest.mark.parametrize("options", [(), ("--dtype", "auto", "--tile", "16")])
def test_the_command(cuda: torch.device, tmp_path: Path, capsys: Any, options: tuple[str, ...]) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "in.png")
    common = ("upscale", tmp_path / "in.png", "--weights", "edsr-x4")
    for device, more in (("cuda", options), ("cpu", ())):
        shown = invoke(capsys, *common, "-o", tmp_path / f"{device}.png", "--device", device, *more)
        assert shown.code == 0, shown.err
    with Image.open(tmp_path / "cuda.png") as found, Image.open(tmp_path / "cpu.png") as expected:
        assert grey_levels(found, expected) <= 2


def test_evaluate_and_benchmark(
    cuda: torch.device, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "_SIDES", {"cuda": (32,)})  # the machine's rate is of no interest here
    Image.fromarray(PIXELS[:36, :44]).save(tmp_path / "in.png")
    shown = invoke(capsys, "evaluate", "--data", tmp_path, "--weights", "edsr-x4", "--device", "cuda")
    assert shown.code == 0, shown.err
    options = ("--generator", "edsr:channels=4,num_blocks=1", "--size", "8", "--repeats", "2")
    shown = invoke(capsys, "benchmark", *options, "--against", "eager", "--dtype", "auto", "--device", "cuda")
    assert shown.code == 0, shown.err
    assert "float16" in shown.out
    assert torch.cuda.get_device_name(cuda) in shown.out
    assert "failed" not in shown.out

"""`dtype="auto"`: faster where the processor is, and faithful everywhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from kornia_srgan.assembly import load_generator
from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.ops import measured
from kornia_srgan.optimize import optimize
from kornia_srgan.optimize.faithful import is_faithful, made_photograph
from kornia_srgan.optimize.optimize import optimize_for_inference
from tests.helpers.names import generator_names
from tests.helpers.small_generators import small
from tests.helpers.tolerances import assert_near
from tests.helpers.trained import SIZES, trained

LEVELS = 2
LOSS = 0.005  # dB


@pytest.fixture
def pays(monkeypatch):
    """As on a processor that is faster in bfloat16; what it computes is the same on all."""
    monkeypatch.setattr(optimize, "bfloat16_pays", lambda: True)
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor has no convolutions in bfloat16")


def multiplies_low(net: nn.Module) -> bool:
    return any(getattr(m, "compute", None) == torch.bfloat16 for m in net.modules())


@pytest.mark.parametrize("name", generator_names())
def test_every_generator_takes_and_gives_float32_and_is_faithful(name, pays):
    torch.manual_seed(0)
    net = small(name, scale=4).eval()
    ready = optimize_for_inference(net, dtype="auto")
    assert all(p.dtype == torch.float32 for p in ready.parameters())
    for size in SIZES:
        lr = torch.rand(2, 3, *size)
        with torch.no_grad():
            expected, found = net(lr), ready(lr)
        assert found.dtype == torch.float32
        assert (found - expected).abs().max() * 255 <= LEVELS


@pytest.mark.parametrize(
    "name", ["edsr", "srresnet", "span", "ecbsr", "edge_resnet", "compact", "rrdb", "msrresnet"]
)
def test_all_but_the_first_layer_multiply_in_bfloat16(name, pays):
    net = trained(small(name, scale=4, channels=16)) if name != "rrdb" else small(name, scale=4, channels=16)
    ready = optimize_for_inference(net, dtype="auto")
    with torch.inference_mode():
        found, expected = (m.eval()(made_photograph()) for m in (ready, net))
    assert (found - expected).abs().max() * 255 <= LEVELS
    convs = [m for m in ready.modules() if isinstance(m, nn.Conv2d) and hasattr(m, "compute")]
    low = [m.compute == torch.bfloat16 for m in convs]
    assert not low[0]
    if any(low):  # else it was not faithful, and stayed in float32
        assert sum(low) >= len(low) - 2


def test_what_is_not_faithful_stays_in_float32(pays):
    torch.manual_seed(0)
    net = EDSR(channels=16, num_blocks=1, bilinear_skip=False).eval()
    with torch.no_grad():
        net.tail[0].weight.mul_(100)
        net.tail[0].bias.fill_(40.0)  # values of 40, which bfloat16 holds to a quarter
        net.tail.append(Minus(40.0))
    ready = optimize_for_inference(net, dtype="auto")
    assert not multiplies_low(ready)
    lr = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        assert_near(ready(lr), net(lr), "network")


class Minus(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - self.value


def test_a_processor_that_does_not_pay_keeps_float32_exact(monkeypatch):
    monkeypatch.setattr(optimize, "bfloat16_pays", lambda: False)
    net = trained(small("edsr", scale=4, channels=16))
    auto, exact = (optimize_for_inference(net, dtype=dtype) for dtype in ("auto", torch.float32))
    assert not multiplies_low(auto)
    lr = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        assert torch.equal(auto(lr), exact(lr))


def test_faithful_means_what_it_says():
    class Plus(nn.Upsample):
        def __init__(self, level: float, *, everywhere: bool) -> None:
            super().__init__(scale_factor=2)
            self.level, self.everywhere = level, everywhere

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            image = super().forward(input)
            if self.everywhere:
                return image + self.level / 255
            image[..., 40, 40] += self.level / 255
            return image

    same = nn.Upsample(scale_factor=2)
    assert is_faithful(Plus(1.4, everywhere=False), same)
    assert not is_faithful(Plus(2.5, everywhere=False), same)
    assert not is_faithful(Plus(0.5, everywhere=True), same)


def test_measured_once_in_a_process(monkeypatch):
    calls = []
    monkeypatch.setattr(
        measured, "least_seconds", lambda run, repeats=3: calls.append(1) or float(len(calls))
    )
    monkeypatch.setattr(measured, "_found", {})
    assert measured.bfloat16_pays() is False
    assert measured.detour_pays(32, 48) is False
    before = len(calls)
    assert [measured.bfloat16_pays(), measured.detour_pays(32, 48)] == [False, False]
    assert len(calls) == before


@pytest.mark.parametrize(
    ("exact", "low", "pays", "rounds"),
    [
        ([1.0] * 8, [3.0, *[0.5] * 7], True, 8),  # the first was wrong
        ([1.0] * 8, [0.95] * 8, False, 8),  # not worth it
        ([1.0] * 8, [90.0] * 8, False, 1),  # a processor that emulates it
    ],
)
def test_bfloat16_is_measured_in_turns(exact, low, pays, rounds, monkeypatch):
    readings = [value for pair in zip(exact, low, strict=True) for value in pair]
    told = iter(readings)
    monkeypatch.setattr(measured, "least_seconds", lambda run, repeats=3: next(told))
    monkeypatch.setattr(measured, "_found", {})
    assert measured.bfloat16_pays() is pays
    assert len(list(told)) == len(readings) - 2 * rounds


def test_one_thread_is_measured_and_the_others_come_back():
    seen = []
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        measured.least_seconds(lambda: seen.append(torch.get_num_threads()))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_what_another_process_measured_is_taken_over_on_such_a_processor(monkeypatch):
    monkeypatch.setattr(measured, "_found", {(0, 0): True, (8, 8): False})
    told = measured.measurements()
    monkeypatch.setattr(measured, "_found", {(0, 0): False})
    measured.take_over(replace(told, machine=("another",)))
    assert not measured.bfloat16_pays()
    measured.take_over(told)
    assert measured.bfloat16_pays()
    assert not measured.detour_pays(8, 8)


def luma(image: torch.Tensor) -> torch.Tensor:
    levels = (image.clamp(0, 1) * 255).round()
    weights = torch.tensor([65.481, 128.553, 24.966]).view(1, 3, 1, 1) / 255
    return (levels * weights).sum(1)[..., 4:-4, 4:-4]


def psnr(image: torch.Tensor, hr: torch.Tensor) -> float:
    return 10 * torch.log10(255**2 / (luma(image) - luma(hr)).square().mean()).item()


def read(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.asarray(Image.open(path).convert("RGB")).copy()).permute(2, 0, 1)[None] / 255


@pytest.mark.parametrize("name", ["edsr-x4", "srresnet-x4"])
def test_packaged_weights_lose_nothing_on_set5(name, pays, shared_data):
    module = load_generator(name).module
    exact, auto = (optimize_for_inference(module, dtype=dtype) for dtype in (None, "auto"))
    assert multiplies_low(auto)
    losses = []
    for path in sorted((shared_data / "eval/Set5/LRx4").glob("*.png")):
        lr, hr = read(path), read(shared_data / "eval/Set5/HR" / path.name)
        with torch.inference_mode():
            expected, found = exact(lr), auto(lr)
        hr = hr[..., : found.shape[-2], : found.shape[-1]]
        levels = [(image.clamp(0, 1) * 255).round() for image in (expected, found)]
        assert (levels[0] - levels[1]).abs().max() <= LEVELS
        losses.append(psnr(expected, hr) - psnr(found, hr))
    assert sum(losses) / len(losses) <= LOSS

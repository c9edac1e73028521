"""Tiles that are enlarged together, by each way to a device, against the same tiles one by one."""

from __future__ import annotations

from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.inference import compute
from kornia_srgan.inference.transfers import Transfers, transfers_of
from kornia_srgan.inference.upscaler import Upscaler
from tests.helpers import pretend_cuda

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 75, 3), np.uint8)  # the last tile of a row is narrow
CPU = torch.device("cpu")


class Event(NamedTuple):
    """What was given to a network: the shape, and the dtype of its weights."""

    shape: tuple[int, ...]
    dtype: torch.dtype


@pytest.fixture
def generator() -> EDSR:
    torch.manual_seed(0)
    return EDSR(channels=4, num_blocks=1).eval()


@pytest.fixture(params=["as CUDA", "as MPS", "batches on the CPU"])
def way(request: pytest.FixtureRequest) -> Transfers:
    if request.param == "batches on the CPU":
        return Transfers(CPU, 16)
    device = request.getfixturevalue("cuda")
    return transfers_of(device) if request.param == "as CUDA" else Transfers(device, 16)


def by(way: Transfers, generator: nn.Module, **options: Any) -> Upscaler:
    """Tiles of 8 pixels."""
    upscaler = Upscaler(generator, tile=8, device=way.device, **options)
    upscaler._pieces._transfers = way
    upscaler._pieces.room(1, 1)  # takes a look at the network's memory
    return upscaler


def noted(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """What networks are given from now on."""
    events: list[Event] = []
    forward = compute.forward_unit

    def watched(network: nn.Module, unit: Tensor, bands: int) -> Tensor:
        weights = next(chain(network.parameters(), network.buffers()))
        events.append(Event(tuple(unit.shape), weights.dtype))
        return forward(network, unit, bands)

    monkeypatch.setattr(compute, "forward_unit", watched)
    return events


def levels(a: Any, b: Any) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize(("dtype", "off"), [(np.uint8, 1), (np.uint16, 2), (np.float32, 1e-4)])
def test_tiles_of_one_size_go_together_and_give_the_image(
    way: Transfers, generator: EDSR, dtype: Any, off: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = PIXELS.astype(dtype) * 257 if dtype == np.uint16 else PIXELS.astype(dtype)
    pixels = pixels / np.float32(255) if dtype == np.float32 else pixels
    expected = Upscaler(generator, tile=0, device="cpu")(pixels)
    upscaler = by(way, generator)
    events = noted(monkeypatch)
    found = upscaler(pixels)
    assert found.dtype == dtype
    assert np.abs(found.astype(float) - expected).max() <= off
    # Ten tiles in a row, of which the outer ones see less than the inner ones.
    assert max(e.shape[0] for e in events) >= 6
    assert sum(e.shape[0] for e in events) == 40
    assert pretend_cuda.waited_for == []


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float16])
def test_values_are_rounded_before_they_are_copied(
    way: Transfers, generator: EDSR, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[Tensor] = []
    fetch = Transfers.fetch
    monkeypatch.setattr(Transfers, "fetch", lambda self, *both: (fetched.extend(both), fetch(self, *both))[1])
    upscaler = by(way, generator)
    larger, finite = upscaler._pieces.start(torch.zeros(2, 3, 8, 9, dtype=dtype))()
    assert [(t.device.type, t.dtype) for t in fetched] == [
        (way.device.type, dtype),
        (way.device.type, torch.bool),
    ]
    assert larger.device.type == "cpu"
    assert larger.is_pinned() == way.overlapped
    assert finite == [True, True]


def test_no_more_tiles_at_once_than_memory_holds(
    way: Transfers, generator: EDSR, monkeypatch: pytest.MonkeyPatch
) -> None:
    upscaler = Upscaler(generator, tile=8, device=way.device)
    upscaler._pieces._transfers = way
    side = 8 + 2 * (upscaler.halo or 0)
    pixel = compute.bytes_per_pixel(upscaler.generator, way.device, torch.float32)
    monkeypatch.setattr(compute, "free_memory", lambda _: 2 * pixel * side * side * 3)
    events = noted(monkeypatch)
    upscaler(PIXELS)
    assert all(e.shape[0] * e.shape[2] * e.shape[3] <= 3 * side * side for e in events)
    assert any(e.shape[0] == 3 for e in events)


def test_a_row_is_started_before_the_one_above_it_is_waited_for(
    way: Transfers, generator: EDSR, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where copies overlap; elsewhere it would only take memory."""
    upscaler = by(way, generator)
    events: list[str] = []
    start = compute.Pieces.start

    def watched(self: Any, pieces: Tensor) -> Any:
        wait = start(self, pieces)
        events.append("start")
        return lambda: (events.append("wait"), wait())[1]

    monkeypatch.setattr(compute.Pieces, "start", watched)
    list(upscaler.bands(PIXELS[:, :8]))  # one tile in a row
    ahead = ["start", "start", "wait", "start", "wait", "start", "wait", "wait"]
    assert events == (ahead if way.overlapped else ["start", "wait"] * 4)


def test_what_has_no_memory_together_is_done_tile_by_tile(
    way: Transfers, generator: EDSR, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Upscaler(generator, tile=0, device="cpu")(PIXELS)
    upscaler = by(way, generator)
    events = noted(monkeypatch)

    def refuse(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        if len(given[0]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    upscaler.generator.register_forward_pre_hook(refuse)
    assert levels(upscaler(PIXELS), expected) <= 1
    assert sum(e.shape[0] == 1 for e in events) == 40


def test_only_tiles_that_are_not_finite_are_computed_again(
    way: Transfers, generator: EDSR, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by one, in float32; the others of a batch are kept."""
    expected = Upscaler(generator, tile=0, device="cpu")(PIXELS)
    upscaler = by(way, generator, dtype="bfloat16")

    def spoil(_: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if len(given[0]) < 3:
            return output
        number = torch.arange(len(output), device=output.device)[:, None, None, None]
        return output.masked_fill(number == 2, float("nan"))

    upscaler.generator.register_forward_hook(spoil)
    events = noted(monkeypatch)
    found = upscaler(PIXELS)
    assert levels(found, expected) <= 12
    assert [e.shape[0] for e in events if e.dtype == torch.float32] == [1] * 4
    third = np.s_[:, 4 * 24 : 4 * 32]  # the first of a row sees less: the third of the others is the fourth
    assert levels(found[third], expected[third]) <= 1


def test_enormous_values_are_no_infinity(way: Transfers, generator: EDSR) -> None:
    """Their sum is, so they are computed again, and found to be white."""
    upscaler = by(way, generator)
    upscaler.generator.register_forward_hook(lambda _, given, output: output.abs() * 0 + 1e38)
    assert (upscaler(PIXELS[:9, :9]) == 255).all()


def test_a_picture_is_not_computed_again_for_the_one_beside_it(generator: EDSR) -> None:
    upscaler = by(Transfers(CPU), generator, dtype="bfloat16")
    both = torch.from_numpy(np.stack([PIXELS, PIXELS[::-1]])).movedim(-1, 1)
    plain = upscaler._pieces(both)

    def spoil(_: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return torch.cat([output[:1], output[1:] * float("nan")])

    upscaler.generator.register_forward_hook(spoil)
    found = upscaler._pieces(both)
    assert torch.equal(found[0], plain[0])
    assert torch.equal(found[1], Upscaler(generator, tile=0, device="cpu")._pieces(both[1:])[0])


def test_only_networks_that_are_known_go_together(
    cuda: torch.device, generator: EDSR, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unknown(EDSR):
        """May look at the whole batch."""

    other = Unknown(channels=4, num_blocks=1).eval()
    other.load_state_dict(generator.state_dict())
    upscaler = Upscaler(other, tile=8, device=cuda)
    events = noted(monkeypatch)
    assert levels(upscaler(PIXELS), Upscaler(generator, tile=0, device="cpu")(PIXELS)) <= 1
    assert {e.shape[0] for e in events} == {1}
    known = Upscaler(generator, tile=8, device=cuda)._networks
    assert compute.Pieces(known).room(8, 8) > 1
    assert compute.Pieces(known, alone=True).room(8, 8) == 1


def test_the_cpu_and_devices_that_are_not_known_go_tile_by_tile(generator: EDSR) -> None:
    assert Upscaler(generator, tile=8, device="cpu")._pieces.room(8, 8) == 1
    assert transfers_of(torch.device("meta")) == Transfers(torch.device("meta"), 1, False)

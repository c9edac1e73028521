"""Tiles that are enlarged together on CUDA, against the same tiles one by one on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.inference import cuda_tiles
from kornia_srgan.inference.upscaler import Upscaler

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 75, 3), np.uint8)


@pytest.fixture
def generator() -> EDSR:
    torch.manual_seed(0)
    return EDSR(channels=4, num_blocks=1).eval()


def noted(upscaler: Upscaler) -> list[torch.Size]:
    """The shapes that the network on the device is given from now on."""
    shapes: list[torch.Size] = []
    if upscaler._together is not None:
        upscaler._together.room(1, 1)  # takes a look at the network's memory
    upscaler.generator.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape))
    return shapes


def levels(a: Any, b: Any) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize(("dtype", "off"), [(np.uint8, 1), (np.uint16, 2), (np.float32, 1e-4)])
def test_tiles_of_one_size_go_together_and_give_the_image(
    cuda: torch.device, generator: EDSR, dtype: Any, off: float
) -> None:
    pixels = PIXELS.astype(dtype) * 257 if dtype == np.uint16 else PIXELS.astype(dtype)
    pixels = pixels / np.float32(255) if dtype == np.float32 else pixels
    expected = Upscaler(generator, tile=8, device="cpu")(pixels)
    upscaler = Upscaler(generator, tile=8, device=cuda)
    shapes = noted(upscaler)
    found = upscaler(pixels)
    assert found.dtype == dtype
    assert np.abs(found.astype(float) - expected).max() <= off
    # Ten tiles in a row, of which the outer ones see less than the inner ones.
    assert max(shape[0] for shape in shapes) >= 6
    assert sum(shape[0] for shape in shapes) == 40


def test_no_more_tiles_at_once_than_memory_holds(
    cuda: torch.device, generator: EDSR, monkeypatch: pytest.MonkeyPatch
) -> None:
    upscaler = Upscaler(generator, tile=8, device=cuda)
    side = 8 + 2 * upscaler.halo
    pixel = cuda_tiles.bytes_per_pixel(upscaler.generator, cuda, torch.float32)
    monkeypatch.setattr(cuda_tiles, "free_memory", lambda _: 2 * pixel * side * side * 3)
    shapes = noted(upscaler)
    upscaler(PIXELS)
    assert all(shape[0] * shape[2] * shape[3] <= 3 * side * side for shape in shapes)
    assert any(shape[0] == 3 for shape in shapes)


def test_a_row_is_started_before_the_one_above_it_is_waited_for(
    cuda: torch.device, generator: EDSR, monkeypatch: pytest.MonkeyPatch
) -> None:
    upscaler = Upscaler(generator, tile=8, device=cuda)
    events: list[str] = []
    start = cuda_tiles.TilesOnCuda.start

    def watched(self: Any, pieces: Tensor) -> Any:
        wait = start(self, pieces)
        events.append("start")

        def waited() -> Tensor | None:
            events.append("wait")
            return wait()

        return waited

    monkeypatch.setattr(cuda_tiles.TilesOnCuda, "start", watched)
    bands = upscaler.bands(PIXELS[:, :8])  # one tile in a row
    next(bands)
    assert events == ["start", "start", "wait"]
    list(bands)
    assert events == ["start", "start", "wait", "start", "wait", "start", "wait", "wait"]


@pytest.mark.parametrize("trouble", ["memory", "nan"])
def test_what_does_not_work_together_is_done_tile_by_tile(
    cuda: torch.device, generator: EDSR, trouble: str
) -> None:
    """With the network as it is for one tile; a batch has no memory, or one of it overflows."""
    expected = Upscaler(generator, tile=8, device="cpu")(PIXELS)
    upscaler = Upscaler(generator, tile=8, device=cuda)
    shapes = noted(upscaler)

    def spoil(_: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        if len(given[0]) == 1:
            return None
        if trouble == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return output * float("nan")

    upscaler.generator.register_forward_hook(spoil)
    assert levels(upscaler(PIXELS), expected) <= 1
    assert sum(shape[0] for shape in shapes if shape[0] == 1) >= 32


def test_only_networks_that_are_known_go_together(cuda: torch.device, generator: EDSR) -> None:
    class Unknown(EDSR):
        """May look at the whole batch."""

    other = Unknown(channels=4, num_blocks=1).eval()
    other.load_state_dict(generator.state_dict())
    upscaler = Upscaler(other, tile=8, device=cuda)
    shapes = noted(upscaler)
    upscaler(PIXELS)
    assert {shape[0] for shape in shapes} == {1}
    assert Upscaler(generator, tile=8, device="cpu")._together is None

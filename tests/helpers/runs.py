"""Two runs compared, byte by byte."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from kornia_srgan.training.checkpoint import newest_checkpoint
from tests.helpers.training import Killed


def assert_same_run(a: Path, b: Path) -> None:
    """Byte-equal weights; byte-equal networks, average and optimizers in the last checkpoint."""
    for name in ("generator", "psnr", "gan"):
        one, two = load_file(a / f"{name}.safetensors"), load_file(b / f"{name}.safetensors")
        assert all(torch.equal(one[k], two[k]) for k in one), f"{name} of {b}"
    one_checkpoint, two_checkpoint = (newest_checkpoint(r / "checkpoints") for r in (a, b))
    assert one_checkpoint is not None
    assert two_checkpoint is not None
    assert one_checkpoint.name == two_checkpoint.name
    states = [f.name for f in one_checkpoint.iterdir() if f.suffix in (".bin", ".safetensors")]
    assert len(states) == 4
    for name in [*states, "custom_checkpoint_0.pkl"]:
        load = load_file if name.endswith("safetensors") else torch.load
        assert_equal_trees(load(one_checkpoint / name), load(two_checkpoint / name), f"{name} of {b}")


def assert_equal_trees(a: Any, b: Any, where: str) -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_equal_trees(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal_trees(x, y, f"{where}.{index}")
    else:
        assert a == b, where


def assert_resumes_to_the_same_bytes(
    run: Callable[..., bool], tmp_path: Path, kill_at: Any, *killed_at: int
) -> None:
    """`run` takes a folder and `resume`; the folders are `whole` and, for each step, `killed-5`."""
    run(tmp_path / "whole")
    for step in killed_at:
        killed = tmp_path / f"killed-{step}"
        kill_at(step)
        with pytest.raises(Killed):
            run(killed)
        kill_at(-1)
        assert run(killed, resume=True), killed
        assert_same_run(tmp_path / "whole", killed)

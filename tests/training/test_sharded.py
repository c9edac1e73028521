"""Why FSDP is refused: what happens to a sharded generator in a run, on two processes with gloo.

`fully_shard` is what Accelerate calls for `--use_fsdp --fsdp_version 2`. Accelerate itself shards on no CPU.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from timm.utils import ModelEmaV3
from torch import distributed, nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from kornia_srgan.weights.files import save_weights
from tests.helpers.forked_ranks import run_two_ranks
from tests.helpers.training import small_components


def said(work: Callable[[], object]) -> str:
    """What an attempt fails with; empty if it does not."""
    try:
        work()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def look_at_a_sharded_generator(folder: Path) -> None:
    rank = Accelerator(cpu=True).process_index
    components = small_components()
    generator = components.generator
    average = ModelEmaV3(generator, decay=0.9)
    whole = sum(p.numel() for p in generator.parameters())
    fully_shard(generator)
    generator(torch.zeros(1, 3, 4, 4)).mean().backward()
    held: Any = [p.to_local() for p in generator.parameters()]  # type: ignore[operator]
    found = {
        "share": sum(p.numel() for p in held) / whole,
        "average": said(lambda: average.update(generator)),
        "copy": said(lambda: average.module.load_state_dict(generator.state_dict())),
        "weights": said(
            lambda: save_weights(folder / f"{rank}.safetensors", generator.state_dict(), components.spec)
        ),
    }
    (folder / f"{rank}.json").write_text(json.dumps(found))
    distributed.barrier()


def test_a_sharded_generator_has_no_average_and_no_weight_file(tmp_path: Path) -> None:
    assert run_two_ranks(lambda: look_at_a_sharded_generator(tmp_path)) == [0, 0]
    for rank in (0, 1):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found["share"] < 0.6  # it is sharded
        assert "mixed torch.Tensor and DTensor" in found["average"]
        assert "mixed torch.Tensor and DTensor" in found["copy"]
        assert "not supported for tensor subclasses" in found["weights"]
        assert not (tmp_path / f"{rank}.safetensors").exists()


def prepare_for_fsdp(folder: Path) -> None:
    accelerator = Accelerator(cpu=True, fsdp_plugin=FullyShardedDataParallelPlugin(fsdp_version=2))
    module = accelerator.prepare(nn.Linear(4, 4))
    kinds = [
        accelerator.distributed_type == DistributedType.MULTI_CPU,
        type(module) is DistributedDataParallel,
    ]
    (folder / f"{accelerator.process_index}.json").write_text(json.dumps(kinds))


@pytest.mark.filterwarnings("ignore")
def test_on_a_cpu_accelerate_shards_nothing_and_does_not_say_so(tmp_path: Path) -> None:
    assert run_two_ranks(lambda: prepare_for_fsdp(tmp_path)) == [0, 0]
    assert all(json.loads((tmp_path / f"{rank}.json").read_text()) == [True, True] for rank in (0, 1))

"""Steps in fp16 on the CPU, in which one rank alone meets something bad."""

import json
import math
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object

from kornia_srgan.contracts import Batch
from kornia_srgan.training.players import ActiveStage, prepare_stage
from kornia_srgan.training.stage import train_step
from tests.helpers.half import fp16_accelerator
from tests.helpers.training import small_components, small_config

ONE_LAYER = {"name": "vgg", "args": {"filters": [8], "strides": [2], "dense": 8, "pool": 2}}


def parameters(stage: ActiveStage) -> list[float]:
    assert stage.discriminator is not None
    both = (stage.generator, stage.discriminator)
    return [float(p.detach().double().square().sum()) for player in both for p in player.parameters]


def main(output: Path) -> None:
    sections: dict[str, Any] = {"stages__1__discriminator": ONE_LAYER}
    accelerator = fp16_accelerator(init_scale=2.0**12)
    components = small_components(**sections)
    config = small_config(**sections)
    stage = prepare_stage(components.generator, components.stages[1], config.train, accelerator)
    steps = []
    for step in range(5):
        torch.manual_seed(10 * step + accelerator.process_index)
        batch = Batch(torch.rand(2, 3, 4, 4), torch.rand(2, 3, 16, 16))
        last = accelerator.process_index == accelerator.num_processes - 1
        if step == 1 and last:
            batch.hr[0, 0, 0, 0] = math.inf  # a bad loss, on this rank alone
        handle = None
        if step == 3 and last:  # an overflow, on this rank alone
            handle = stage.generator.parameters[0].register_hook(lambda g: torch.full_like(g, math.inf))
        result = train_step(stage, [batch], accelerator)
        if handle is not None:
            handle.remove()
        assert accelerator.scaler is not None
        said = {"bad": bool(result.bad), "skipped": result.skipped, "scale": accelerator.scaler.get_scale()}
        steps.append({**said, "parameters": parameters(stage)})
    everyone = gather_object([{"processes": accelerator.num_processes, "steps": steps}])
    if accelerator.is_main_process:
        output.write_text(json.dumps(everyone))

"""Trains as the command does, on one rank or several, and records what each rank saw and ended with."""

import json
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object

from kornia_srgan.config.io import load_config
from kornia_srgan.training import run
from kornia_srgan.training.hooks import StepEvent
from kornia_srgan.training.trainer import Trainer


def main(config: str, output: str) -> None:
    seen: list[list[int]] = []
    finals: list[dict[str, Any]] = []
    original_finish = Trainer._finish_stage

    def look(event: StepEvent) -> None:
        if event.result is not None:
            seen.append(list(event.crops.seeds))

    def finish(self: Trainer, stage: Any, components: Any, progress: Any) -> Any:
        players = [p for p in (stage.generator, stage.discriminator) if p is not None]
        tensors = [p.detach().double() for player in players for p in player.plain.parameters()]
        finals.append(
            {"sum": float(sum(t.sum() for t in tensors)), "square": float(sum((t**2).sum() for t in tensors))}
        )
        result = original_finish(self, stage, components, progress)
        everyone = gather_object(
            [{"rank": self.accelerator.process_index, "seeds": seen, "finals": list(finals)}]
        )
        if self.accelerator.is_main_process:
            Path(output, "ranks.json").write_text(json.dumps(everyone))
        return result

    Trainer._finish_stage = finish  # type: ignore[method-assign]
    torch.set_num_threads(1)
    run.train(load_config(config), output, on_step=look)

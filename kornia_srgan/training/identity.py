"""The identity of a run, for resuming and for the header of its weights."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from kornia_srgan._version import __version__
from kornia_srgan.config.model import Stage, TrainConfig
from kornia_srgan.network import last_part
from kornia_srgan.training.stage_data import stage_batch, stage_crop
from kornia_srgan.weights.hub import PREFIX


def run_identity(config: TrainConfig, processes: int) -> dict[str, Any]:
    """What must be the same, in addition to the data, for a resumed run to end with the same bytes.

    Paths, logging intervals and the speed of data loading may change.
    """
    raw = config.model_dump(mode="json")
    data, loop = raw["data"], raw["train"]
    for section, keys in (
        (data, ("folders", "pairs", "shards", "cache", "workers")),
        (data, () if config.data.pairs else ("pair_share",)),
        (data, () if config.data.shards else ("shuffle_buffer",)),
        (loop, ("log_every", "checkpoint_every", "keep_last", "trackers", "detect_anomaly")),
        (raw, ("name", "summary", "validation", "license", "plugins", "init")),
    ):
        for key in keys:
            del section[key]
    # Checkpoints of before there were such keys are without them.
    if config.channels == 3:
        del raw["channels"]
    if config.data.range is None:
        del data["range"]
    if not loop["deterministic"]:
        del loop["deterministic"]
    for stage in raw["stages"]:
        if stage["adversarial"] and not stage["adversarial"]["warmup_steps"]:
            del stage["adversarial"]["warmup_steps"]
        if stage["discriminator_limit"] is None:
            del stage["discriminator_limit"]
    flat = {f"recipe.{key}": value for key, value in flatten_values(raw)}
    return {**flat, "processes": processes}


def flatten_values(node: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Every value in nested mappings and lists, by its dotted path."""
    if isinstance(node, dict) and node:
        return [leaf for k, v in node.items() for leaf in flatten_values(v, f"{prefix}.{k}" if prefix else k)]
    if isinstance(node, list) and node:
        return [leaf for i, v in enumerate(node) for leaf in flatten_values(v, f"{prefix}.{i}")]
    return [(prefix, node)]


def training_facts(config: TrainConfig, images: int, accelerator: Accelerator) -> dict[str, Any]:
    """How the weights were trained, for their header."""
    return {
        "recipe": config.name,
        "stages": [_stage_fact(config, stage) for stage in config.stages],
        "batch_size": config.train.batch_size,
        "crop": config.data.crop,
        "lr": config.train.lr,
        "ema_decay": config.train.ema_decay,
        "seed": config.train.seed,
        "init": _public_name(config.init or ""),
        "data": [
            *(folder.name for folder in config.data.folders),
            *(f"{pair.hr.name} with {pair.lr.name}" for pair in config.data.pairs),
            *(last_part(shards) for shards in config.data.shards),
        ],
        **({"images": images} if images else {}),  # of streams nobody counts them
        "precision": str(accelerator.mixed_precision),
        "processes": accelerator.num_processes,
        "device": _device_name(accelerator.device),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"kornia_srgan": __version__, "torch": torch.__version__},
    }


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _stage_fact(config: TrainConfig, stage: Stage) -> str:
    crop, batch = stage_crop(config, stage), stage_batch(config, stage)
    other = "" if (stage.crop, stage.batch_size) == (None, None) else f", {batch} crops of {crop}"
    return f"{stage.name}: {stage.steps} steps{other}"


def flat_config(config: TrainConfig) -> dict[str, Any]:
    """The config for trackers: one level, plain values."""
    return {
        k: v if isinstance(v, int | float | str | bool) else str(v)
        for k, v in flatten_values(config.model_dump(mode="json"))
    }


def _public_name(source: str) -> str:
    """The source of weights, without the folders of this machine."""
    return source if source.startswith(PREFIX) else Path(source).name

"""From a config to a trained generator: what `kornia-srgan train` and `accelerate launch` both call."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, DistributedType

from kornia_srgan._version import __version__
from kornia_srgan.assembly import Components, assemble
from kornia_srgan.config import Precision, TrainConfig
from kornia_srgan.data.source import CropSource, open_crops
from kornia_srgan.errors import ConfigError
from kornia_srgan.training.checkpoint import check_identity, newest_checkpoint
from kornia_srgan.training.journal import check_trackers
from kornia_srgan.training.run_folder import RunFolder
from kornia_srgan.training.trainer import Trainer
from kornia_srgan.training.validation import FolderValidator


def train(
    config: TrainConfig, output: str | Path, *, resume: bool = False, accelerator: Accelerator | None = None
) -> bool:
    """Run a config to its end, or until it is asked to stop.

    Args:
        config: What to train, on what.
        output: The run's folder.
        resume: Continue from its newest checkpoint; without one, start.
        accelerator: By default one for the config's precision and trackers; the processes it knows of are
            those of `accelerate launch` or `torchrun`.

    Returns:
        True when the run is complete, False when it stopped early and can be resumed.

    Raises:
        UserError: Whatever is wrong with config, components, data or output, before the first step.
        TrainingError: If training cannot go on.
    """
    if not config.data.folders:
        raise ConfigError("data.folders: no folder of photographs; give --data DIR")
    check_trackers(config.train.trackers)
    folder = RunFolder(Path(output))
    accelerator = accelerator or make_accelerator(config, folder)
    check_strategy(accelerator)
    check_batch(config, accelerator.num_processes)
    if accelerator.is_main_process:
        folder.open(resume=resume)
    accelerator.wait_for_everyone()
    components = assemble(config)
    crops = _open_crops(config, accelerator)
    identity = run_identity(config, crops, accelerator.num_processes)
    checkpoint = newest_checkpoint(folder.checkpoints) if resume else None
    if checkpoint is not None:
        check_identity(checkpoint, identity)
    if accelerator.is_main_process:
        folder.describe(config)
    if config.train.trackers:
        accelerator.init_trackers("kornia_srgan", config=_flat(config))
    trainer = Trainer(
        components,
        config.train,
        accelerator,
        crops,
        folder,
        identity=identity,
        training_facts=_facts(config, crops, accelerator),
        validator=_validator(config, components, folder, accelerator),
    )
    if components.init_note:
        trainer.journal.say(components.init_note)
    try:
        return trainer.fit(resume=resume)
    finally:
        accelerator.end_training()


def make_accelerator(config: TrainConfig, folder: RunFolder) -> Accelerator:
    """An Accelerator for the config, with the fast kernels of the device switched on."""
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")  # TF32
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True  # crops have one size
    return Accelerator(
        cpu=not torch.accelerator.is_available(),  # else two launched CPU processes look for GPUs
        mixed_precision=resolve_precision(config.train.precision),
        log_with=list(config.train.trackers) or None,
        project_dir=str(folder.path),
        step_scheduler_with_optimizer=False,
        kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True)],
    )


def resolve_precision(precision: Precision) -> str:
    """`auto` is bf16 on a GPU that has it in hardware, else full precision."""
    if precision == "fp16" and not torch.cuda.is_available():
        raise ConfigError("train.precision: fp16 needs a GPU; use 'no' or 'bf16' on a CPU")
    if precision != "auto":
        return precision
    return "bf16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "no"


def check_strategy(accelerator: Accelerator) -> None:
    """Whole networks on every process: two players are not split over devices.

    Raises:
        ConfigError: Under FSDP, DeepSpeed and what else shards networks.
    """
    plain = (DistributedType.NO, *(kind for kind in DistributedType if kind.value.startswith("MULTI_")))
    if accelerator.distributed_type not in plain:
        raise ConfigError(
            f"accelerate's {accelerator.distributed_type.value} shards networks, which the two networks of a "
            "GAN do not go through here; choose multi-GPU (DDP), with train.accumulate for large generators"
        )


def check_batch(config: TrainConfig, processes: int) -> None:
    """Every process and micro-batch gets the same number of crops."""
    parts = processes * config.train.accumulate
    if config.train.batch_size % parts:
        raise ConfigError(
            f"train.batch_size {config.train.batch_size} cannot be shared by {processes} processes x "
            f"{config.train.accumulate} micro-batches; it must be a multiple of {parts}"
        )


def _open_crops(config: TrainConfig, accelerator: Accelerator) -> CropSource:
    if not accelerator.is_main_process:
        logging.getLogger("kornia_srgan").setLevel(logging.ERROR)  # damaged files are named once
    data = config.data
    return open_crops(
        data.folders,
        crop=data.crop,
        cache=data.cache,
        workers=data.workers,
        crops_per_image=data.crops_per_image,
        weighting=data.weighting,
        seed=config.train.seed,
        device=accelerator.device,
    )


def run_identity(config: TrainConfig, crops: CropSource, processes: int) -> dict[str, Any]:
    """What must be the same for a resumed run to end with the same bytes.

    Where files lie, how often things are logged and how fast data comes may change.
    """
    raw = config.model_dump(mode="json")
    data, loop = raw["data"], raw["train"]
    for section, keys in (
        (data, ("folders", "cache", "workers")),
        (loop, ("log_every", "checkpoint_every", "keep_last", "trackers", "detect_anomaly")),
        (raw, ("name", "summary", "validation", "license", "plugins", "init")),
    ):
        for key in keys:
            del section[key]
    flat = {f"recipe.{key}": value for key, value in _leaves(raw)}
    return {
        **flat,
        "processes": processes,
        "data.images": crops.num_images,
        "data.fingerprint": crops.fingerprint,
    }


def _leaves(node: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        return [leaf for k, v in node.items() for leaf in _leaves(v, f"{prefix}.{k}" if prefix else k)]
    if isinstance(node, list) and node:
        return [leaf for i, v in enumerate(node) for leaf in _leaves(v, f"{prefix}.{i}")]
    return [(prefix, node)]


def _facts(config: TrainConfig, crops: CropSource, accelerator: Accelerator) -> dict[str, Any]:
    """How the weights were made, for their header."""
    return {
        "recipe": config.name,
        "stages": [f"{s.name}: {s.steps} steps" for s in config.stages],
        "batch_size": config.train.batch_size,
        "crop": config.data.crop,
        "lr": config.train.lr,
        "ema_decay": config.train.ema_decay,
        "seed": config.train.seed,
        "init": config.init or "",
        "data": [folder.name for folder in config.data.folders],
        "images": crops.num_images,
        "precision": str(accelerator.mixed_precision),
        "processes": accelerator.num_processes,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"kornia_srgan": __version__, "torch": torch.__version__},
    }


def _validator(
    config: TrainConfig, components: Components, folder: RunFolder, accelerator: Accelerator
) -> FolderValidator | None:
    validation = config.validation
    if validation.folder is None:
        return None
    return FolderValidator.open(
        validation.folder,
        scale=config.scale,
        every=validation.every,
        pictures=validation.images,
        resizer=components.resizer,
        folder=folder,
        device=accelerator.device,
    )


def _flat(config: TrainConfig) -> dict[str, Any]:
    """The config as trackers take it: one level, plain values."""
    return {
        k: v if isinstance(v, int | float | str | bool) else str(v)
        for k, v in _leaves(config.model_dump(mode="json"))
    }

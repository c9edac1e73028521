"""From a config to a trained generator: what `kornia-srgan train` and `accelerate launch` both call."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import (
    DistributedDataParallelKwargs,
    DistributedType,
    GradientAccumulationPlugin,
    gather_object,
    parse_flag_from_env,
)

from kornia_srgan._version import __version__
from kornia_srgan.assembly import Components, assemble
from kornia_srgan.config.model import Precision, Stage, TrainConfig
from kornia_srgan.errors import ConfigError
from kornia_srgan.training.checkpoint import check_identity, newest_checkpoint, read_progress
from kornia_srgan.training.determinism import take_deterministic_kernels
from kornia_srgan.training.journal import check_trackers
from kornia_srgan.training.run_folder import RunFolder
from kornia_srgan.training.stage_data import StageCrops, check_batches, stage_batch, stage_crop
from kornia_srgan.training.trainer import Trainer
from kornia_srgan.training.validation import FolderValidator
from kornia_srgan.weights.hub import PREFIX

_SHARDING = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
}


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
    check_launch()
    accelerator = accelerator or make_accelerator(config, folder)
    check_strategy(accelerator)
    check_batches(config, accelerator.num_processes)
    if accelerator.is_main_process:
        folder.check(resume=resume)
    else:
        logging.getLogger("kornia_srgan").setLevel(logging.ERROR)  # damaged files are named once
    # All is built and opened before the folder is made: what is wrong leaves nothing behind.
    checkpoint = _agreed_checkpoint(folder) if resume else None
    # A checkpoint holds all that `init` gave; its file may have gone since.
    components = assemble(config.model_copy(update={"init": None}) if checkpoint else config)
    crops = StageCrops(config, accelerator.device)
    source = crops.open(_resumed_stage(config, checkpoint))
    identity = run_identity(config, accelerator.num_processes)
    if checkpoint is not None:
        check_identity(checkpoint, {**identity, **crops.identity})
    validator = _validator(config, components, folder, accelerator)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        folder.open(config)
    accelerator.wait_for_everyone()
    if config.train.trackers:
        accelerator.init_trackers("kornia_srgan", config=_flat(config))
    trainer = Trainer(
        components,
        config.train,
        accelerator,
        crops,
        folder,
        identity=identity,
        training_facts=_facts(config, source.num_images, accelerator),
        validator=validator,
    )
    if components.init_note:
        trainer.journal.say(components.init_note)
    try:
        return trainer.fit(resume=resume)
    finally:
        accelerator.end_training()


def make_accelerator(config: TrainConfig, folder: RunFolder) -> Accelerator:
    """An Accelerator for the config, with the fast kernels of the device switched on."""
    if _on_cuda():
        torch.set_float32_matmul_precision("high")  # TF32
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = not config.train.deterministic  # crops have one size
        if config.train.deterministic:
            take_deterministic_kernels()
    return Accelerator(
        cpu=on_cpu(),  # else two launched CPU processes look for GPUs
        mixed_precision=resolve_precision(config.train.precision),
        log_with=list(config.train.trackers) or None,
        project_dir=str(folder.path),
        step_scheduler_with_optimizer=False,
        # The recipe says what these are; Accelerate would ask the launcher.
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        dynamo_backend="no",
        kwargs_handlers=[
            # Without buffers: rank 0's would overwrite those of a batch norm between the two forwards that
            # one backward of the discriminator belongs to. What is saved is rank 0's in either case.
            DistributedDataParallelKwargs(gradient_as_bucket_view=True, broadcast_buffers=False)
        ],
    )


def on_cpu() -> bool:
    """Whether training goes to the CPU: there is nothing else, or `accelerate launch --cpu` asked for it."""
    return not torch.accelerator.is_available() or parse_flag_from_env("ACCELERATE_USE_CPU")


def _on_cuda() -> bool:
    return torch.cuda.is_available() and not on_cpu()


def resolve_precision(precision: Precision) -> str:
    """`auto` is bf16 on a GPU that has it in hardware, else full precision."""
    if precision == "fp16" and not _on_cuda():
        raise ConfigError("train.precision: fp16 needs a GPU; use 'no' or 'bf16' on a CPU")
    if precision != "auto":
        return precision
    return "bf16" if _on_cuda() and torch.cuda.is_bf16_supported(including_emulation=False) else "no"


def check_launch() -> None:
    """What `accelerate launch` was told, before Accelerate acts on it.

    On a CPU it would drop FSDP and DeepSpeed without a word and train with DDP.

    Raises:
        ConfigError: If it was told to shard networks.
    """
    for variable, strategy in _SHARDING.items():
        if os.environ.get(variable, "").lower() in ("1", "true"):
            raise _sharding_error(strategy)


def check_strategy(accelerator: Accelerator) -> None:
    """Whole networks on every process: two players are not split over devices.

    Raises:
        ConfigError: Under FSDP, DeepSpeed and what else shards networks.
    """
    plain = (DistributedType.NO, *(kind for kind in DistributedType if kind.value.startswith("MULTI_")))
    if accelerator.distributed_type not in plain:
        raise _sharding_error(accelerator.distributed_type.value)


def _sharding_error(strategy: str) -> ConfigError:
    return ConfigError(
        f"accelerate's {strategy} shards networks, which the two networks of a GAN do not go through here; "
        "choose multi-GPU (DDP), with train.accumulate for large generators"
    )


def _agreed_checkpoint(folder: RunFolder) -> Path | None:
    """The newest checkpoint, which every process must see."""
    newest = newest_checkpoint(folder.checkpoints)
    seen = gather_object([newest.name if newest else "none"])
    if len(set(seen)) > 1:
        raise ConfigError(
            f"--resume: the processes see different checkpoints in {folder.checkpoints}: {', '.join(seen)}; "
            "give all machines the same output folder"
        )
    return newest


def _resumed_stage(config: TrainConfig, checkpoint: Path | None) -> int:
    # Of a recipe with fewer stages now, which is refused in a moment, the last.
    return min(read_progress(checkpoint).stage, len(config.stages) - 1) if checkpoint else 0


def run_identity(config: TrainConfig, processes: int) -> dict[str, Any]:
    """What must be the same, besides the data, for a resumed run to end with the same bytes.

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
    if not loop["deterministic"]:  # checkpoints of before there was such a thing are without
        del loop["deterministic"]
    for stage in raw["stages"]:  # likewise
        if stage["adversarial"] and not stage["adversarial"]["warmup_steps"]:
            del stage["adversarial"]["warmup_steps"]
        if stage["discriminator_limit"] is None:
            del stage["discriminator_limit"]
    flat = {f"recipe.{key}": value for key, value in _leaves(raw)}
    return {**flat, "processes": processes}


def _leaves(node: Any, prefix: str = "") -> list[tuple[str, Any]]:
    if isinstance(node, dict) and node:
        return [leaf for k, v in node.items() for leaf in _leaves(v, f"{prefix}.{k}" if prefix else k)]
    if isinstance(node, list) and node:
        return [leaf for i, v in enumerate(node) for leaf in _leaves(v, f"{prefix}.{i}")]
    return [(prefix, node)]


def _facts(config: TrainConfig, images: int, accelerator: Accelerator) -> dict[str, Any]:
    """How the weights were made, for their header."""
    return {
        "recipe": config.name,
        "stages": [_stage_fact(config, stage) for stage in config.stages],
        "batch_size": config.train.batch_size,
        "crop": config.data.crop,
        "lr": config.train.lr,
        "ema_decay": config.train.ema_decay,
        "seed": config.train.seed,
        "init": _public_name(config.init or ""),
        "data": [folder.name for folder in config.data.folders],
        "images": images,
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


def _public_name(source: str) -> str:
    """Where weights came from, without the folders of this machine."""
    return source if source.startswith(PREFIX) else Path(source).name

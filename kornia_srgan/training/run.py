"""Trains a generator from a config; called by `kornia-srgan train` and `accelerate launch`."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import gather_object

from kornia_srgan.assembly import Components, assemble
from kornia_srgan.config.model import TrainConfig
from kornia_srgan.data.pixels import PixelFormat
from kornia_srgan.errors import ConfigError
from kornia_srgan.evaluation.protocols import make_metrics, usual_metrics
from kornia_srgan.training.checkpoint import (
    Checkpoint,
    check_identity,
    newest_checkpoint,
    read_checkpoint,
)
from kornia_srgan.training.hooks import StepHook
from kornia_srgan.training.identity import flat_config, run_identity, training_facts
from kornia_srgan.training.journal import check_trackers
from kornia_srgan.training.launch import check_launch, check_strategy, make_accelerator, prepared_process
from kornia_srgan.training.run_folder import RunFolder
from kornia_srgan.training.stage_data import StageCrops, check_batches, pair_note
from kornia_srgan.training.trainer import Trainer
from kornia_srgan.training.validation import FolderValidator


def train(
    config: TrainConfig,
    output: str | Path,
    *,
    resume: bool = False,
    accelerator: Accelerator | None = None,
    on_step: StepHook | None = None,
) -> bool:
    """Train a generator from a config, until the run is complete or a stop is requested.

    Afterwards, TF32, cuDNN's settings and environment variables are as they were before.

    Args:
        config: The config; `load_config` reads one.
        output: The folder of the run.
        resume: Continue from the newest checkpoint; without a checkpoint, start from the beginning.
        accelerator: By default one for the config's precision and trackers, with the device's fast kernels,
            and with the processes of `accelerate launch` or `torchrun`. With your own, no settings are
            changed.
        on_step: Called at the beginning and end of every step, see `StepEvent`. If it raises, the run ends
            and can be resumed from its last checkpoint.

    Returns:
        True when the run is complete, False when it stopped early and can be resumed.

    Raises:
        UserError: If config, components, data or output are wrong; always before the first step.
        TrainingError: If training cannot continue.
    """
    if not (config.data.folders or config.data.pairs or config.data.shards):
        raise ConfigError.at(
            "data.folders", "no folder of photographs; give --data DIR, or --hr DIR --lr DIR for pairs"
        )
    check_trackers(config.train.trackers)
    folder = RunFolder(Path(output))
    check_launch()
    with prepared_process(config) if accelerator is None else nullcontext():
        return _run(config, folder, accelerator or make_accelerator(config, folder), on_step, resume=resume)


def _run(
    config: TrainConfig,
    folder: RunFolder,
    accelerator: Accelerator,
    on_step: StepHook | None,
    *,
    resume: bool,
) -> bool:
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
    data = crops.open(_resumed_stage(config, checkpoint))
    identity = run_identity(config, accelerator.num_processes)
    if checkpoint is not None:
        check_identity(checkpoint, {**identity, **data.identity})
    validator = _validator(config, components, folder, accelerator)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        folder.open(config)
    accelerator.wait_for_everyone()
    if config.train.trackers:
        accelerator.init_trackers("kornia_srgan", config=flat_config(config))
    trainer = Trainer(
        components,
        config.train,
        accelerator,
        crops,
        data,
        folder,
        identity=identity,
        training_facts=training_facts(config, data.source.num_images, accelerator),
        validator=validator,
        on_step=on_step,
    )
    del data  # the trainer alone holds it, to let it go
    for note in (components.init_note, pair_note(config, components)):
        if note:
            trainer.journal.say(note)
    try:
        return trainer.fit(checkpoint)
    finally:
        accelerator.end_training()


def _agreed_checkpoint(folder: RunFolder) -> Checkpoint | None:
    """The newest checkpoint, which all processes must agree on."""
    newest = newest_checkpoint(folder.checkpoints)
    seen = gather_object([newest.name if newest else "none"])
    if len(set(seen)) > 1:
        raise ConfigError(
            f"--resume: the processes see different checkpoints in {folder.checkpoints}: {', '.join(seen)}; "
            "give all machines the same output folder",
            where=folder.checkpoints,
        )
    return read_checkpoint(newest) if newest else None


def _resumed_stage(config: TrainConfig, checkpoint: Checkpoint | None) -> int:
    # Of a recipe with fewer stages now, which is refused in a moment, the last.
    return min(checkpoint.progress.stage, len(config.stages) - 1) if checkpoint else 0


def _validator(
    config: TrainConfig, components: Components, folder: RunFolder, accelerator: Accelerator
) -> FolderValidator | None:
    validation = config.validation
    if validation.folder is None:
        return None
    pixels = PixelFormat(config.channels, config.data.range)
    return FolderValidator.open(
        validation.folder,
        metrics=make_metrics(usual_metrics(pixels)),
        scale=config.scale,
        every=validation.every,
        pictures=validation.images,
        resizer=components.resizer,
        folder=folder,
        device=accelerator.device,
        pixels=pixels,
        shown=validation.bands,
    )

"""The training loop, with checkpoints, validation and rollback after bad numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from timm.utils import ModelEmaV3
from torch import nn

from kornia_srgan.assembly import Components, StageComponents
from kornia_srgan.config.model import Train
from kornia_srgan.data.batch import CropBatch
from kornia_srgan.data.sampling import step_seed
from kornia_srgan.errors import TrainingError
from kornia_srgan.ops.modules import to_channels_last
from kornia_srgan.training.checkpoint import Checkpoint, Progress, save_checkpoint
from kornia_srgan.training.determinism import missing_kernels_named
from kornia_srgan.training.hooks import StepEvent, StepHook, Validator
from kornia_srgan.training.interrupt import StopRequest
from kornia_srgan.training.journal import Journal
from kornia_srgan.training.optim import warmup_share
from kornia_srgan.training.players import ActiveStage, Average, prepare_stage, unwrap_player
from kornia_srgan.training.run_folder import RunFolder
from kornia_srgan.training.stage import StepResult, train_step
from kornia_srgan.training.stage_data import StageCrops, StageData
from kornia_srgan.training.steps import make_batch
from kornia_srgan.weights.files import save_weights

BAD_STEPS_BEFORE_ROLLBACK = 5
ROLLBACKS_BEFORE_GIVING_UP = 3
ROLLBACK_LR_FACTOR = 0.5


class Trainer:
    """Trains the generator of a set of components through its stages.

    It works with objects only: `assemble` has resolved the names, and data comes as numbered batches.

    Args:
        components: The networks and losses.
        train: The settings of the loop.
        accelerator: Devices, precision, processes.
        crops: Opens the data of each stage.
        data: The data of the first stage to run.
        folder: The folder of the run.
        identity: Stored in checkpoints; a resumed run must match it.
        training_facts: Stored in the header of the weights.
        validator: Scores the generator at intervals.
        on_step: Called at the beginning and end of each step.
    """

    def __init__(
        self,
        components: Components,
        train: Train,
        accelerator: Accelerator,
        crops: StageCrops,
        data: StageData,
        folder: RunFolder,
        *,
        identity: dict[str, Any],
        training_facts: dict[str, Any],
        validator: Validator | None = None,
        on_step: StepHook | None = None,
    ) -> None:
        self.components = components
        self.train = train
        self.accelerator = accelerator
        self.crops = crops
        self.folder = folder
        self.identity = identity
        self.training_facts = training_facts
        self.validator = validator
        self.on_step = on_step
        self.journal = Journal(folder, accelerator)
        self.average = Average()
        accelerator.register_for_checkpointing(self.average)
        self._data: StageData | None = data
        self._checkpoint: Checkpoint | None = None  # the newest of this run

    def fit(self, checkpoint: Checkpoint | None = None) -> bool:
        """Run all stages from the start or from a checkpoint.

        Args:
            checkpoint: The checkpoint to continue from; the same on all processes.

        Returns:
            True when the run is complete, False when it stopped early and can be resumed.

        Raises:
            TrainingError: If numbers stay bad after rollbacks, or a checkpoint cannot be written.
        """
        self._checkpoint = checkpoint
        progress = checkpoint.progress if checkpoint else Progress()
        if checkpoint is not None:
            self.journal.rewind(progress.total, step=progress.step)
            self.journal.say(f"resuming at step {progress.total} from {checkpoint.path}")
        with StopRequest() as stop:
            for index in range(progress.stage, len(self.components.stages)):
                progress = self._run_stage(index, progress, stop, load=checkpoint)
                checkpoint = None
                if stop.seen:
                    self.journal.plot(final=True)
                    self.journal.say(f"stopped at step {progress.total}; continue with --resume")
                    return False
        self.journal.plot(final=True)
        self._save_final(progress)
        return True

    def _run_stage(
        self, index: int, progress: Progress, stop: StopRequest, *, load: Checkpoint | None
    ) -> Progress:
        components = self.components.stages[index]
        stage = self._prepare(components)
        data = self._open_data(index)
        if load is not None:
            self.accelerator.load_state(str(load.path))
            data.go_on_from(load.position(self.accelerator.process_index))
        else:
            self._save(progress)  # the stage's own start, to roll back to
        self.journal.begin_stage(
            components.config.name,
            components.config.steps,
            progress.step,
            images_per_step=self.crops.batch_size(index),
        )
        rollbacks = 0
        try:
            while True:
                progress, diverged = self._run_steps(stage, components, data, progress, stop)
                if not diverged:
                    break
                rollbacks += 1
                progress = self._roll_back(diverged, rollbacks, progress.lr_factor)
        finally:
            self.journal.end_stage()
        self.journal.plot()
        if stop.seen and progress.step < components.config.steps:
            return progress
        return self._finish_stage(stage, components, progress)

    def _open_data(self, index: int) -> StageData:
        """That of the stage before, or, where its crops have another size, new data once that is let go."""
        if self._data is not None and self._data.crop != self.crops.crop(index):
            position, self._data = self._data.position, None
            self._data = self.crops.open(index)
            self._data.go_on_from(position)
        self._data = self._data or self.crops.open(index)
        return self._data

    def _prepare(self, components: StageComponents) -> ActiveStage:
        generator = self.components.generator.to(self.accelerator.device)
        if self.train.channels_last:
            to_channels_last(generator)
        if self.train.ema_decay:
            # Copied before Accelerate wraps `forward`, which a copy would still bind to the original.
            self.average.model = ModelEmaV3(generator, decay=self.train.ema_decay, use_warmup=True)
        return prepare_stage(generator, components, self.train, self.accelerator)

    def _run_steps(
        self,
        stage: ActiveStage,
        components: StageComponents,
        data: StageData,
        progress: Progress,
        stop: StopRequest,
    ) -> tuple[Progress, str]:
        """Steps until the stage ends, a stop is asked for, or numbers stay bad: then the bad term's name."""
        steps, train, accelerator = components.config.steps, self.train, self.accelerator
        bad_in_a_row = 0
        batches = data.source.batches(
            progress.total,
            progress.total + steps - progress.step,
            batch_size=self.crops.batch_size(progress.stage),
            rank=accelerator.process_index,
            world_size=accelerator.num_processes,
        )
        for crop_batch in batches:
            self._tell(stage, crop_batch, progress)
            lr, result = self._step(stage, crop_batch, progress)
            self._tell(stage, crop_batch, progress, result)
            progress = replace(progress, step=progress.step + 1, total=progress.total + 1)
            bad_in_a_row = self._note_bad(result, progress, bad_in_a_row)
            if bad_in_a_row >= BAD_STEPS_BEFORE_ROLLBACK:
                return progress, result.bad
            self.journal.add({} if result.bad else result.terms, progress.step)
            if progress.step % train.log_every == 0 or progress.step == steps:
                name = components.config.name
                self.journal.flush(stage=name, step=progress.step, total=progress.total, lr=lr)
            progress = self._validate(stage, progress, last=progress.step == steps)
            stopping = stop.agreed(accelerator, progress.total)
            if stopping or (progress.total % train.checkpoint_every == 0 and not bad_in_a_row):
                self._save(progress)
                self.journal.plot()
            if stopping:
                break
        return progress, ""

    def _tell(
        self, stage: ActiveStage, crops: CropBatch, progress: Progress, result: StepResult | None = None
    ) -> None:
        if self.on_step is not None:
            average = self.average.model.module if self.average.model else None
            self.on_step(StepEvent(stage, crops, progress, average, result))

    def _step(self, stage: ActiveStage, crops: CropBatch, progress: Progress) -> tuple[float, StepResult]:
        train, rank = self.train, self.accelerator.process_index
        # Whatever a component draws is a function of seed, step and rank: a resumed run draws it again.
        torch.manual_seed(step_seed(train.seed, progress.total, rank))
        lr = stage.generator.rate.set(progress.step, progress.lr_factor)
        if stage.discriminator is not None:
            stage.discriminator.rate.set(progress.step, progress.lr_factor)
        size = len(crops.seeds) // train.accumulate
        micro = [
            make_batch(
                part.images,
                part.seeds,
                lr=part.lr,
                paired=part.paired,
                scale=self.components.spec.scale,
                resizer=self.components.resizer,
                augmentations=self.components.augmentations,
                degradation=self.components.degradation,
            )
            for part in (crops.part(i, i + size) for i in range(0, size * train.accumulate, size))
        ]
        with torch.autograd.set_detect_anomaly(train.detect_anomaly), missing_kernels_named():
            result = train_step(
                stage,
                micro,
                self.accelerator,
                grad_clip=train.grad_clip,
                adversarial_share=warmup_share(progress.step, stage.adversarial_warmup),
            )
        if self.average.model is not None and not result.skipped:
            self.average.model.update(stage.generator.plain, step=progress.step + 1)
        return lr, result

    def _note_bad(self, result: StepResult, progress: Progress, in_a_row: int) -> int:
        if not result.bad:
            return 0
        self.journal.say(f"step {progress.total}: '{result.bad}' is not finite; the step was skipped")
        self.journal.record({"total": progress.total, "event": f"non-finite {result.bad}"})
        return in_a_row + 1

    def _roll_back(self, term: str, rollbacks: int, lr_factor: float) -> Progress:
        checkpoint = self._checkpoint
        if checkpoint is None or rollbacks > ROLLBACKS_BEFORE_GIVING_UP:
            raise TrainingError(
                f"'{term}' stayed non-finite through {rollbacks - 1} rollbacks; lower train.lr, set "
                "train.grad_clip, or find the operation with train.detect_anomaly=true",
                where=term,
            )
        self.accelerator.load_state(str(checkpoint.path))
        if self._data is not None:
            self._data.go_on_from(checkpoint.position(self.accelerator.process_index))
        progress = replace(checkpoint.progress, lr_factor=lr_factor * ROLLBACK_LR_FACTOR)
        self.journal.rewind(progress.total, step=progress.step, keep_events=True)
        self.journal.say(
            f"'{term}' was not finite {BAD_STEPS_BEFORE_ROLLBACK} times in a row: back to step "
            f"{progress.total} with the learning rate times {progress.lr_factor:g}"
        )
        return progress

    def _validate(self, stage: ActiveStage, progress: Progress, *, last: bool) -> Progress:
        validator = self.validator
        if validator is None or not (last or progress.total % validator.every == 0):
            return progress
        generator = self.average.model.module if self.average.model else stage.generator.plain
        if self.accelerator.is_main_process:
            generator.eval()
            scores = validator(generator, progress.total)
            stage.generator.plain.train()
            self.journal.record({"total": progress.total, **{f"val_{k}": v for k, v in scores.items()}})
            self.journal.say(
                f"step {progress.total}  " + "  ".join(f"{k} {v:.4f}" for k, v in scores.items())
            )
            if progress.best is None or scores["psnr"] > progress.best:
                progress = replace(progress, best=scores["psnr"])
                self._save_weights(generator, self.folder.best, progress)
        self.accelerator.wait_for_everyone()
        return progress

    def _save(self, progress: Progress) -> None:
        assert self._data is not None
        position = self._data.position
        self._checkpoint = save_checkpoint(
            self.folder.checkpoints,
            progress,
            {**self.identity, **self._data.identity},
            self.accelerator,
            keep_last=self.train.keep_last,
            positions=() if position is None else tuple(gather_object([position])),
        )

    def _finish_stage(self, stage: ActiveStage, components: StageComponents, progress: Progress) -> Progress:
        """Finish a stage. Its result, the running average if there is one, starts the next stage."""
        generator = unwrap_player(stage.generator, self.accelerator)
        if self.average.model is not None:
            generator.load_state_dict(self.average.model.module.state_dict())
        if self.accelerator.is_main_process:
            path = self.folder.stage_weights(components.config.name)
            self._save_weights(generator, path, progress)
            self.journal.say(f"stage {components.config.name} done: {path}")
        self.accelerator.free_memory()
        return replace(progress, stage=progress.stage + 1, step=0, lr_factor=1.0)

    def _save_final(self, progress: Progress) -> None:
        if self.accelerator.is_main_process:
            self._save_weights(self.components.generator, self.folder.final, progress)
            self.journal.say(f"done: {self.folder.final}")
        self.accelerator.wait_for_everyone()

    def _save_weights(self, generator: nn.Module, path: Any, progress: Progress) -> None:
        facts = {**self.training_facts, "steps": progress.total}
        save_weights(path, generator.state_dict(), replace(self.components.spec, training=facts))

"""The crops of each stage: their size and their number may differ from stage to stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from kornia_srgan.assembly import Components
from kornia_srgan.config.model import Stage, TrainConfig
from kornia_srgan.contracts import PairAugmentation
from kornia_srgan.data.batch import CropSource, StreamedSource
from kornia_srgan.data.pixels import PixelFormat
from kornia_srgan.data.source import open_crops
from kornia_srgan.data.stream import StreamSource, open_shards
from kornia_srgan.errors import ConfigError


def stage_crop(config: TrainConfig, stage: Stage) -> int:
    """Side of the stage's HR crops."""
    return stage.crop or config.data.crop


def stage_batch(config: TrainConfig, stage: Stage) -> int:
    """Crops in a step of the stage, over all processes together."""
    return stage.batch_size or config.train.batch_size


def check_batches(config: TrainConfig, processes: int) -> None:
    """Every process and micro-batch gets the same number of crops.

    Raises:
        ConfigError: Naming the first batch size that cannot be shared out.
    """
    parts = processes * config.train.accumulate
    sizes = {"train.batch_size": config.train.batch_size}
    sizes |= {f"stages.{i}.batch_size": s.batch_size for i, s in enumerate(config.stages) if s.batch_size}
    for where, size in sizes.items():
        if size % parts:
            raise ConfigError(
                f"{where} {size} cannot be shared by {processes} processes x "
                f"{config.train.accumulate} micro-batches; it must be a multiple of {parts}",
                where=where,
            )


def pair_note(config: TrainConfig, components: Components) -> str:
    """What of a recipe does not go over pairs; empty if there are none or all does."""
    data = config.data
    if not data.pairs:
        return ""
    left_out = [
        f"augmentation {component.name}"
        for component, augment in zip(data.augmentations, components.augmentations, strict=True)
        if not (isinstance(augment, PairAugmentation) and augment.keeps_pairs)
    ]
    if data.degradation and not data.folders:
        left_out.append(f"degradation {data.degradation.name}")
    return f"pairs bring their own LR images, so not for them: {', '.join(left_out)}" if left_out else ""


@dataclass(frozen=True)
class StageData:
    """The open data of a stage.

    Attributes:
        crop: Side of its HR crops.
        source: Gives them.
        identity: What a resumed stage must find the same: number and fingerprint of the images, as they were
            when the source was opened (files that turn out damaged later on do not change it).
    """

    crop: int
    source: CropSource
    identity: dict[str, Any]

    @property
    def position(self) -> dict[str, Any] | None:
        """Where a streamed source stands; None for others, which need no memory of it."""
        return self.source.position if isinstance(self.source, StreamedSource) else None

    def go_on_from(self, position: dict[str, Any] | None) -> None:
        """Have a streamed source go on from there."""
        if position is not None and isinstance(self.source, StreamedSource):
            self.source.restore(position)


class StageCrops:
    """Opens the data for one stage after another.

    Step s of a run sees the samples from s times the stage's batch size on. So where a stage has another
    batch size than the one before it, its first samples are not the next ones of the epoch.

    Args:
        config: The run.
        device: Where batches are wanted.
    """

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        self._config = config
        self._device = device

    def open(self, index: int) -> StageData:
        """The data of stage `index`, opened anew; stages with crops of one size can share it."""
        data, crop = self._config.data, self.crop(index)
        if data.shards:
            stream = self._open_stream(crop)
            facts = {"data.shards": len(stream.plan.shards), "data.fingerprint": stream.fingerprint}
            return StageData(crop, stream, facts)
        source = open_crops(
            data.folders,
            crop=crop,
            pairs=[(pair.hr, pair.lr) for pair in data.pairs],
            scale=self._config.scale,
            pair_share=data.pair_share,
            cache=data.cache,
            workers=data.workers,
            crops_per_image=data.crops_per_image,
            weighting=data.weighting,
            channels=self._config.channels,
            value_range=data.range,
            seed=self._config.train.seed,
            device=self._device,
        )
        identity = {"data.images": source.num_images, "data.fingerprint": source.fingerprint}
        return StageData(crop, source, identity)

    def _open_stream(self, crop: int) -> StreamSource:
        data = self._config.data
        return open_shards(
            data.shards,
            crop=crop,
            scale=self._config.scale,
            workers=data.workers,
            crops_per_image=data.crops_per_image,
            shuffle_buffer=data.shuffle_buffer,
            seed=self._config.train.seed,
            device=self._device,
            pixels=PixelFormat(self._config.channels, data.range),
        )

    def crop(self, index: int) -> int:
        """Side of the crops of stage `index`."""
        return stage_crop(self._config, self._config.stages[index])

    def batch_size(self, index: int) -> int:
        """Crops in a step of stage `index`."""
        return stage_batch(self._config, self._config.stages[index])

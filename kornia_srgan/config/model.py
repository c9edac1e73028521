"""The strict models of a recipe. Imports no torch.

A recipe is YAML with these keys. All of them are checked before any work starts. `config.io` reads, overrides
and writes recipes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

Precision = Literal["auto", "no", "fp16", "bf16"]
Cache = Literal["auto", "none", "ram", "device"]


class Model(BaseModel):
    """Strict: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _component(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Component(Model):
    """A registered component and its arguments; `name` alone may be written as a plain string."""

    name: str = Field(description="A registered name; `kornia-srgan list` shows them all.")
    args: dict[str, Any] = Field(
        default_factory=dict, description="Arguments, checked against the component's signature."
    )


class WeightedLoss(Component):
    """One term of the generator's loss."""

    weight: PositiveFloat = Field(default=1.0, description="Factor of this term in the total.")


class WeightedAdversarialLoss(WeightedLoss):
    """The adversarial term of the generator's loss."""

    warmup_steps: int = Field(
        default=0, ge=0, description="Raise the weight linearly from zero over this many steps."
    )


ComponentField = Annotated[Component, BeforeValidator(_component)]
LossField = Annotated[WeightedLoss, BeforeValidator(_component)]
AdversarialField = Annotated[WeightedAdversarialLoss, BeforeValidator(_component)]


def _yaml_no(value: Any) -> Any:
    return "no" if value is False else value  # YAML reads a plain `no` as false


class Optimizer(Model):
    """An optimizer by its name in timm's factory."""

    name: str = Field(default="adam", description="A name of `timm.optim.list_optimizers()`.")
    weight_decay: float = Field(default=0.0, ge=0, description="Weight decay.")
    args: dict[str, Any] = Field(default_factory=dict, description="Further arguments, such as betas.")


class Schedule(Model):
    """How the learning rate moves over the steps of a stage."""

    name: Literal["constant", "cosine", "multistep", "poly"] = Field(
        default="constant", description="`multistep` multiplies by `decay_rate` at each milestone."
    )
    warmup_steps: int = Field(default=0, ge=0, description="Steps of linear warm-up from zero.")
    milestones: tuple[PositiveInt, ...] = Field(
        default=(), description="Steps at which the rate is lowered (multistep)."
    )
    decay_rate: PositiveFloat = Field(default=0.1, description="Factor at each milestone (multistep).")
    min_lr: float = Field(default=0.0, ge=0, description="Final learning rate (cosine, poly).")


class Stage(Model):
    """A part of a run with its own losses."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9_-]+$", description="Name of the stage, used for its files and in the log."
    )
    steps: PositiveInt = Field(description="Generator steps.")
    losses: tuple[LossField, ...] = Field(min_length=1, description="The generator's image losses.")
    adversarial: AdversarialField | None = Field(
        default=None, description="The adversarial loss and its weight; makes it a GAN stage."
    )
    discriminator: ComponentField | None = Field(
        default=None, description="Required if `adversarial` is set."
    )
    lr: PositiveFloat | None = Field(default=None, description="Overrides `train.lr` in this stage.")
    discriminator_lr: PositiveFloat | None = Field(
        default=None, description="Learning rate of the discriminator; by default the stage's."
    )
    discriminator_limit: float | None = Field(
        default=None,
        gt=0.5,
        le=1,
        description="Skip the discriminator's step while it classifies more than this share of the "
        "logits correctly; by default it is never skipped.",
    )
    crop: PositiveInt | None = Field(default=None, description="Overrides `data.crop` in this stage.")
    batch_size: PositiveInt | None = Field(
        default=None, description="Overrides `train.batch_size` in this stage."
    )
    schedule: Schedule = Field(default_factory=Schedule)

    @model_validator(mode="after")
    def _gan_is_whole(self) -> Stage:
        if (self.adversarial is None) != (self.discriminator is None):
            missing = "discriminator" if self.discriminator is None else "adversarial"
            raise ValueError(f"a GAN stage needs both 'adversarial' and 'discriminator'; add '{missing}'")
        if self.discriminator_limit is not None and self.adversarial is None:
            raise ValueError("'discriminator_limit' belongs to a GAN stage; this one has no discriminator")
        return self


class Pair(Model):
    """HR images and the LR images that belong to them, matched by name; folders or tar archives."""

    hr: Path = Field(description="HR images.")
    lr: Path = Field(description="Their LR images; the same place again where names end in _HR and _LR4.")


class Data(Model):
    """Where HR images come from and how LR images are made from them."""

    folders: tuple[Path, ...] = Field(default=(), description="Folders of photographs; `--data` sets it.")
    pairs: tuple[Pair, ...] = Field(
        default=(), description="HR images that bring their own LR images; `--hr` and `--lr` set it."
    )
    shards: tuple[str, ...] = Field(
        default=(),
        description="Addresses of tar shards that are streamed, such as "
        "`s3://bucket/train-{000..099}.tar`, or commands after `pipe:`; `--data` sets it too.",
    )
    shuffle_buffer: int = Field(
        default=1000, ge=0, description="Images held to be mixed (shards), over all processes."
    )
    range: tuple[float, float] | None = Field(
        default=None,
        description="Stored values that become 0 and 1, such as [0, 10000]: for data of any depth, read as "
        "it is. Without it images are photographs of 8 bits.",
    )
    pair_share: float = Field(
        default=0.5, gt=0, lt=1, description="Share of crops from `pairs` where there are `folders` too."
    )
    crop: PositiveInt = Field(default=96, description="Side of an HR crop in pixels; a multiple of scale.")
    crops_per_image: PositiveInt = Field(
        default=1, description="Crops taken from one decoded image before the next (cache none, shards)."
    )
    weighting: Literal["area", "uniform"] = Field(
        default="area",
        description="Draw an image once per whole crop that fits into it (area), or once; those of shards "
        "always once.",
    )
    cache: Cache = Field(
        default="auto", description="Where to keep decoded images: none, ram or device; auto decides."
    )
    workers: int = Field(default=2, ge=0, description="Number of decoding processes (cache none, shards).")
    resizer: ComponentField = Field(default=Component(name="matlab_bicubic"), description="Makes LR from HR.")
    degradation: ComponentField | None = Field(
        default=None, description="Makes LR with blur, noise and compression, instead of the resizer."
    )
    augmentations: tuple[ComponentField, ...] = Field(
        default=(Component(name="dihedral"),), description="Applied to HR crops on the device, in order."
    )

    @model_validator(mode="after")
    def _shards_stand_alone(self) -> Data:
        if self.shards and (self.folders or self.pairs):
            raise ValueError(
                "'shards' are streamed and cannot be mixed with 'folders' or 'pairs'; put all into shards"
            )
        if self.shards and self.cache in ("ram", "device"):
            raise ValueError(f"'shards' are streamed, never kept: cache '{self.cache}' must be none or auto")
        return self


class Train(Model):
    """Settings of the training loop."""

    seed: int = Field(default=0, description="Seed of crops, augmentations and initial weights.")
    batch_size: PositiveInt = Field(default=16, description="Crops per step, over all processes.")
    lr: PositiveFloat = Field(default=1e-4, description="Learning rate.")
    optimizer: Optimizer = Field(default_factory=Optimizer)
    precision: Annotated[Precision, BeforeValidator(_yaml_no)] = Field(
        default="auto", description="auto is bf16 on a GPU that supports it in hardware, else no (float32)."
    )
    grad_clip: float = Field(default=0.0, ge=0, description="Largest gradient norm; 0 does not clip.")
    accumulate: PositiveInt = Field(
        default=1, description="Micro-batches per optimizer step; they split the batch."
    )
    ema_decay: float = Field(
        default=0.0, ge=0, lt=1, description="Decay of the generator's running average; 0 keeps none."
    )
    channels_last: bool = Field(default=True, description="Use the channels-last memory format.")
    compile: bool = Field(default=False, description="Compile both networks with torch.compile.")
    deterministic: bool = Field(default=False, description="Use deterministic kernels on CUDA; slower.")
    detect_anomaly: bool = Field(
        default=False, description="Use torch's anomaly mode, which names the failing operation; slow."
    )
    log_every: PositiveInt = Field(default=50, description="Steps between log lines.")
    checkpoint_every: PositiveInt = Field(default=1000, description="Steps between checkpoints.")
    keep_last: PositiveInt = Field(default=2, description="Number of checkpoints to keep.")
    trackers: tuple[str, ...] = Field(
        default=(), description="Trackers of Accelerate, in addition to metrics.jsonl."
    )


class Validation(Model):
    """Scores during training."""

    folder: Path | None = Field(
        default=None, description="HR images, or HR and LR pairs; without it, nothing is validated."
    )
    every: PositiveInt = Field(default=1000, description="Steps between validations.")
    images: int = Field(default=4, ge=0, description="Number of images in the validation picture.")
    bands: tuple[int, int, int] | None = Field(
        default=None,
        description="Bands, from 0, that the picture shows as red, green and blue; by default the first.",
    )


class TrainConfig(Model):
    """A whole recipe."""

    name: str = Field(default="run", description="Name of the recipe.")
    summary: str = Field(default="", description="One-line description.")
    scale: PositiveInt = Field(default=4, description="Upscaling factor.")
    channels: PositiveInt = Field(
        default=3, description="Channels of the images: 1 is grey; with others than 1 and 3 set `data.range`."
    )
    generator: ComponentField
    init: str | None = Field(
        default=None,
        description="Weights (name or path) to start from; at another scale, the tensors that fit.",
    )
    stages: tuple[Stage, ...] = Field(min_length=1)
    data: Data = Field(default_factory=Data)
    train: Train = Field(default_factory=Train)
    validation: Validation = Field(default_factory=Validation)
    plugins: tuple[str, ...] = Field(default=(), description="Modules or files that register components.")
    license: str = Field(default="", description="Licence of the weights, stored in their header.")

    @model_validator(mode="after")
    def _fits_together(self) -> TrainConfig:
        crops = {"data.crop": self.data.crop}
        crops |= {f"stages.{i}.crop": s.crop for i, s in enumerate(self.stages) if s.crop}
        for where, crop in crops.items():
            if crop % self.scale:
                low = crop - crop % self.scale or self.scale
                raise ValueError(f"{where} {crop} is not a multiple of scale {self.scale}; try {low}")
        if self.data.range is not None and not self.data.range[0] < self.data.range[1]:
            raise ValueError(f"data.range must be two rising numbers; got {list(self.data.range)}")
        if self.channels not in (1, 3) and self.data.range is None:
            raise ValueError(
                f"channels {self.channels} needs data.range, the values that are black and white, "
                "such as [0, 10000]"
            )
        if any(not 0 <= band < self.channels for band in self.validation.bands or ()):
            raise ValueError(
                f"validation.bands {list(self.validation.bands or ())}: the last is {self.channels - 1}"
            )
        names = [s.name for s in self.stages]
        if len(set(names)) != len(names):
            raise ValueError(f"stages need different names; got {', '.join(names)}")
        return self

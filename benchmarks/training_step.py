"""Images per second of the SRGAN step beside a plain hand-written loop of the same networks.

    python -m benchmarks.training_step --json benchmarks/results/training_step_cpu.json

Both start from the same weights and see the same batch; that their losses agree in the first step is checked
before timing, in which they run in turns. The plain loop is `benchmarks.plain_srgan_step`. The parts of our
step are then timed each by itself, and their shares are those of the step that goes from uint8 crops to new
weights. Features are those of a random extractor, which takes as long as a trained one.

With `--compile` our networks are compiled, as `train.compile` does it, and the plain loop stays as it is. On
a GPU nothing has been measured yet. With `--precision bf16` the plain loop stays in float32, and our step is
timed once more with its features in float32, as `mixed_precision: false` of the perceptual loss has them.

Freed memory is kept, as `kornia-srgan train` does it, for both. On a busy machine, `--processor-time` counts
what this process computes instead of the time that passes; CPU only.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from benchmarks.plain_srgan_step import PlainDiscriminator, PlainGenerator, PlainStep, load_in_order
from benchmarks.report import (
    Result,
    at_least_one,
    device_name,
    make_document,
    measure_in_turns,
    run_main,
    write_json,
)
from kornia_srgan.allocator import keep_freed_memory
from kornia_srgan.assembly import Components, assemble
from kornia_srgan.benchmarking.cost import synchronize
from kornia_srgan.config.io import parse_config
from kornia_srgan.config.model import TrainConfig
from kornia_srgan.contracts import Batch, MixedPrecisionLoss
from kornia_srgan.training.launch import resolve_precision
from kornia_srgan.training.players import ActiveStage, prepare_stage
from kornia_srgan.training.stage import train_step
from kornia_srgan.training.steps import discriminator_loss, image_loss, make_batch

EXTRACTORS = {
    "lite0": {"model": "tf_efficientnet_lite0", "layers": [0, 1, 2], "weights": "random"},
    "vgg16": {
        "model": "vgg16",
        "layers": ["relu1_2", "relu2_2", "relu3_3", "relu4_3"],  # those of the recipe photo-gan
        "weights": "random",
    },
    "vgg19": {"model": "vgg19", "layers": ["relu5_4"], "weights": "random"},
}
PLAIN, OURS, WHOLE = "plain loop", "our step", "our step with flips and LR"
WIDE = "our step, features in float32"
ROUNDING = {"no": 1e-3, "bf16": 2e-2}  # by how much a loss may differ from the plain loop's, which is float32


def make_config(options: argparse.Namespace) -> TrainConfig:
    """The second stage of the recipe `srgan`, in the sizes asked for."""
    width = options.width
    extractor = EXTRACTORS[options.extractor] | {"weights": options.weights}
    return parse_config(
        {
            "generator": {
                "name": "srresnet",
                "args": {"channels": options.channels, "num_blocks": options.blocks},
            },
            "data": {"crop": options.crop},
            "train": {
                "batch_size": options.batch,
                "lr": 1e-4,
                "precision": options.precision,
                "compile": options.compile,
            },
            "stages": [
                {
                    "name": "srgan",
                    "steps": 1,
                    "losses": [
                        {
                            "name": "perceptual",
                            "args": {"extractor": {"name": "timm", "args": extractor}},
                        }
                    ],
                    "adversarial": {"name": "vanilla", "weight": 1e-3},
                    "discriminator": {
                        "name": "vgg",
                        "args": {
                            "filters": [width * n for n in (1, 1, 2, 2, 4, 4, 8, 8)],
                            "dense": 16 * width,
                            "pool": options.crop // 16,
                        },
                    },
                }
            ],
        }
    )


class Ours:
    """The package's own step on constant crops."""

    def __init__(self, components: Components, config: TrainConfig, device: torch.device) -> None:
        self.components, self.config = components, config
        self.accelerator = Accelerator(
            cpu=device.type == "cpu", mixed_precision=resolve_precision(config.train.precision)
        )
        self.stage: ActiveStage = prepare_stage(
            components.generator, components.stages[0], config.train, self.accelerator
        )
        size, batch = config.data.crop, config.train.batch_size
        generator = torch.Generator().manual_seed(0)
        small = torch.rand(batch, 3, size // 8, size // 8, generator=generator)
        images = torch.nn.functional.interpolate(small, (size, size), mode="bicubic").clamp(0, 1)
        self.crops = (images * 255).byte().to(device)
        self.batch = self.make_batch()

    def make_batch(self) -> Batch:
        """Flipped HR and its LR, from uint8 crops."""
        parts = self.components
        seeds = range(len(self.crops))
        return make_batch(
            self.crops, seeds, scale=4, resizer=parts.resizer, augmentations=parts.augmentations
        )

    def step(self) -> dict[str, Tensor]:
        """One step on the constant batch; its terms."""
        return dict(train_step(self.stage, [self.batch], self.accelerator).terms)

    def step_with_wide_features(self) -> dict[str, Tensor]:
        """One step whose extractor computes in float32; its terms."""
        (entry,) = self.stage.losses
        assert isinstance(entry.loss, MixedPrecisionLoss)
        entry.loss.set_precision(None)
        terms = self.step()
        entry.loss.set_precision(torch.bfloat16)
        return terms

    def whole(self) -> None:
        """One step from uint8 crops on."""
        train_step(self.stage, [self.make_batch()], self.accelerator)


def time_parts(ours: Ours, device: torch.device, clock: Callable[[], float]) -> dict[str, float]:
    """Seconds of each part of a step, run by itself on the same tensors."""
    stage, batch, seconds = ours.stage, ours.batch, {}
    player, opponent, adversarial = stage.generator, stage.discriminator, stage.adversarial
    assert opponent is not None
    assert adversarial is not None

    def timed(name: str, call: Callable[[], Tensor | None]) -> Tensor:
        synchronize(device)
        start = clock()
        result = call()
        synchronize(device)
        seconds[name] = seconds.get(name, 0.0) + clock() - start
        return result if result is not None else torch.empty(0)

    def discriminator_turn() -> None:
        report = discriminator_loss(batch.hr, sr, adversarial=adversarial, discriminator=opponent.prepared)
        report.total.backward()

    def perceptual_term() -> None:
        image_loss(leaf.float(), batch.hr, stage.losses).total.backward()

    def adversarial_term() -> None:
        term = adversarial.generator(opponent.plain(leaf.float()).float())
        (stage.adversarial_weight * term).backward()

    def optimizer_steps() -> None:
        for each in (player, opponent):
            torch.nn.utils.get_total_norm(p.grad for p in each.parameters if p.grad is not None)
            each.optimizer.step()
            each.optimizer.zero_grad(set_to_none=True)

    timed("flips and LR", lambda: ours.make_batch().hr)
    sr = timed("generator forward", lambda: player.prepared(batch.lr))
    timed("discriminator's turn", discriminator_turn)
    leaf = sr.detach().requires_grad_()
    opponent.plain.requires_grad_(False)
    timed("adversarial term", adversarial_term)
    opponent.plain.requires_grad_(True)
    timed("perceptual term", perceptual_term)
    timed("generator backward", lambda: sr.backward(leaf.grad))
    timed("optimizers", optimizer_steps)
    return seconds


def check_losses(
    plain: dict[str, Tensor], ours: dict[str, Tensor], precision: str = "no"
) -> dict[str, tuple[float, float]]:
    """Both loops' losses by name; the plain one is in float32, ours in `precision`.

    Raises:
        SystemExit: If they differ by more than rounding.
    """
    both = {name: (value.item(), ours[name].item()) for name, value in plain.items()}
    for name, (a, b) in both.items():
        if abs(a - b) > ROUNDING[precision] * abs(a):
            raise SystemExit(f"the loops differ: {name} is {a:g} in the plain loop and {b:g} in ours")
    return both


def make_plain(components: Components, options: argparse.Namespace, device: torch.device) -> PlainStep:
    """The plain loop with copies of the weights."""
    stage = components.stages[0]
    generator = PlainGenerator(options.channels, options.blocks)
    discriminator = PlainDiscriminator(options.width, options.crop)
    assert stage.discriminator is not None
    load_in_order(generator, components.generator)
    load_in_order(discriminator, stage.discriminator)
    features = copy.deepcopy(stage.losses[0].loss.extractor)  # type: ignore[attr-defined]
    return PlainStep(
        generator.to(device),
        discriminator.to(device),
        features.to(device),
        lr=1e-4,
        feature_scale=1 / 12.75,
        adversarial_weight=stage.adversarial_weight,
    )


def run(options: argparse.Namespace) -> tuple[list[Result], dict[str, tuple[float, float]]]:
    """All measurements, and the losses of both loops' first step."""
    device, config = torch.device(options.device), make_config(options)
    components = assemble(config)
    plain = make_plain(components, options, device)
    ours = Ours(components, config, device)
    batch = ours.batch
    losses = check_losses(plain(batch.lr, batch.hr), ours.step(), options.precision)
    ours.whole()  # warm-up

    clock = time.process_time if options.processor_time else time.perf_counter

    def rate(step: Callable[[], object]) -> float:
        synchronize(device)
        start = clock()
        for _ in range(options.steps):
            step()
        synchronize(device)
        return options.steps * options.batch / (clock() - start)

    cases = {PLAIN: lambda: plain(batch.lr, batch.hr), OURS: ours.step, WHOLE: ours.whole}
    if options.precision == "bf16":
        cases[WIDE] = ours.step_with_wide_features
    rates = measure_in_turns({n: lambda c=c: rate(c) for n, c in cases.items()}, repeats=options.repeats)
    results = [Result.of(name, "images/s", values) for name, values in rates.items()]
    rounds = [time_parts(ours, device, clock) for _ in range(options.repeats + 1)][1:]
    results += [Result.of(name, "ms", [r[name] * 1000 for r in rounds]) for name in rounds[0]]
    return results, losses


def summary(results: list[Result], batch: int) -> dict[str, float]:
    """Our step beside the plain loop, and each part's share of the whole step."""
    by_name = {r.name: r for r in results}
    whole = batch / by_name[WHOLE].median * 1000
    shares = {r.name: r.median / whole for r in results if r.unit == "ms"}
    if WIDE in by_name:
        shares["half precision features"] = by_name[OURS].median / by_name[WIDE].median
    return {"speedup": by_name[OURS].median / by_name[PLAIN].median, **shares}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_step", description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--device", type=device_name, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", default="no", choices=("no", "bf16"))
    parser.add_argument("--compile", action="store_true", help="our step with train.compile")
    parser.add_argument("--extractor", default="lite0", choices=tuple(EXTRACTORS))
    parser.add_argument("--weights", default="random", help="of the extractor: a file, `timm` or `random`")
    parser.add_argument("--processor-time", action="store_true", help="count processor time, on a CPU")
    parser.add_argument("--batch", type=at_least_one, default=16)
    parser.add_argument("--crop", type=at_least_one, default=96, help="a multiple of 16")
    parser.add_argument("--channels", type=at_least_one, default=64, help="of the generator")
    parser.add_argument("--blocks", type=at_least_one, default=16, help="of the generator")
    parser.add_argument("--width", type=at_least_one, default=64, help="first channels of the discriminator")
    parser.add_argument("--steps", type=at_least_one, default=1, help="steps in one measurement")
    parser.add_argument("--repeats", type=at_least_one, default=5)
    options = parser.parse_args(arguments)
    if options.crop % 16:
        parser.error(f"--crop {options.crop} is not a multiple of 16")
    if options.processor_time and options.device != "cpu":
        parser.error(f"--processor-time says nothing about work on {options.device}")
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    options = parse(arguments)
    results, losses = run(options)
    shares = summary(results, options.batch)
    for r in results:
        share = f"{shares[r.name] * 100:5.1f} % of the step" if r.name in shares else ""
        print(f"{r.name:28s} {r.median:10.2f} {r.unit:8s} [{r.q1:.2f}, {r.q3:.2f}] {share}")
    print(f"our step: {shares['speedup']:.2f} x the plain loop")
    if "half precision features" in shares:
        print(f"our step: {shares['half precision features']:.2f} x the one with features in float32")
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k != "json"}
        more = {"first_step_losses": losses, "summary": shares}
        write_json(options.json, make_document("training_step", settings, results, options.device) | more)


if __name__ == "__main__":
    keep_freed_memory()
    run_main(main)

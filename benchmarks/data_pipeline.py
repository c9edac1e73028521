"""Crops per second of each cache mode beside a plain Pillow and torch Dataset loop.

    python -m benchmarks.data_pipeline --data DIR --json benchmarks/results/data_pipeline_cpu.json

Every loop delivers the same uint8 crops of the same images in the same order (checked before timing). The
plain loop is the usual one: a Dataset whose item k opens an image, decodes it and cuts one crop, and a
DataLoader that collates. Time runs from the first batch, when workers and caches are up, to the last.
With `--train` it also times a training step on fresh batches beside the same step on one constant batch, and
the making of a fresh batch alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.report import (
    Result,
    at_least_one,
    device_name,
    make_document,
    measure_in_turns,
    run_main,
    write_json,
)
from kornia_srgan.benchmarking.cost import synchronize
from kornia_srgan.data.sampling import CropPlan
from kornia_srgan.data.source import CachedSource, DecodingSource, open_crops
from kornia_srgan.errors import DataError


class PlainDataset(Dataset[Tensor]):
    """One crop per item, decoded for it alone."""

    def __init__(self, paths: list[Path], plan: CropPlan) -> None:
        self.paths = paths
        self.plan = plan

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, k: int) -> Tensor:
        samples = self.plan.samples(k, k + 1)
        image = Image.open(self.paths[int(samples.images[0])]).convert("RGB")
        y, x = samples.corner(0, image.height, image.width, self.plan.crop)
        crop = image.crop((x, y, x + self.plan.crop, y + self.plan.crop))
        return torch.from_numpy(np.array(crop)).permute(2, 0, 1)


Batches = Callable[[], Iterator[Tensor]]


def plain_batches(source: DecodingSource, batch: int, workers: int, device: torch.device) -> Batches:
    """The baseline, on the files and the plan of a source."""
    assert isinstance(source.plan, CropPlan)  # no pairs among its images
    dataset = PlainDataset([f.located.path for f in source.files], source.plan)

    def batches() -> Iterator[Tensor]:
        loader = DataLoader(
            dataset,
            batch_size=batch,
            num_workers=workers,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),
        )
        for images in loader:
            yield images.to(device, non_blocking=True)

    return batches


def source_batches(source: CachedSource | DecodingSource, batch: int) -> Batches:
    """Batches of one of our sources."""
    return lambda: (b.images for b in source.batches(0, 2**31, batch_size=batch))


def crops_per_second(batches: Batches, *, batch: int, seconds: float, device: torch.device) -> float:
    """Rate after the first batch."""
    stream = batches()
    next(stream)
    synchronize(device)
    start, count = time.perf_counter(), 0
    for _ in stream:
        count += batch
        if time.perf_counter() - start >= seconds:
            break
    synchronize(device)
    rate = count / (time.perf_counter() - start)
    stream.close() if hasattr(stream, "close") else None  # type: ignore[attr-defined]
    return rate


def build_cases(options: argparse.Namespace, device: torch.device) -> dict[str, Batches]:
    """All loops, by name; they were seen to give the same bytes."""

    def open_mode(cache, workers=0, crops_per_image=1):
        return open_crops(
            options.data,
            crop=options.crop,
            cache=cache,
            workers=workers,
            crops_per_image=crops_per_image,
            device=device,
        )

    single, many = open_mode("none"), open_mode("none", options.workers)
    if not isinstance(single, DecodingSource):
        raise TypeError("cache none decodes")
    if min(min(f.height, f.width) for f in single.files) < options.crop:
        raise DataError(
            f"--crop {options.crop}: an image of {options.data} is smaller; the plain loop needs whole crops"
        )
    workers = f"{options.workers} workers"
    cases = {
        "plain loop, no workers": plain_batches(single, options.batch, 0, device),
        f"plain loop, {workers}": plain_batches(single, options.batch, options.workers, device),
        "none, no workers": source_batches(single, options.batch),
        f"none, {workers}": source_batches(many, options.batch),
        "ram": source_batches(open_mode("ram"), options.batch),
        "device": source_batches(open_mode("device"), options.batch),
    }
    firsts = {name: _first(batches, 3) for name, batches in cases.items()}
    reference = firsts["plain loop, no workers"]
    for name, images in firsts.items():
        if not torch.equal(images, reference):
            raise SystemExit(f"'{name}' gives other crops than the plain loop")
    grouped = open_mode("none", options.workers, crops_per_image=options.crops_per_image)
    cases[f"none, {workers}, {options.crops_per_image} crops an image"] = source_batches(
        grouped, options.batch
    )
    return cases


def _first(batches: Batches, count: int) -> Tensor:
    stream = batches()
    return torch.cat([next(stream).cpu() for _ in range(count)])


def training_cases(options: argparse.Namespace, device: torch.device) -> dict[str, Callable[[], float]]:
    """Milliseconds of a training step, on one constant batch and on the crops of each cached mode."""
    from kornia_srgan.registry.catalog import AUGMENTATIONS, GENERATORS, RESIZERS
    from kornia_srgan.training.steps import make_batch

    generator = GENERATORS.create(options.generator, scale=4).to(device)  # type: ignore[attr-defined]
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-5)
    dihedral, resizer = AUGMENTATIONS.create("dihedral"), RESIZERS.create("matlab_bicubic")
    bf16 = device.type == "cuda"

    def step(batch) -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            loss = torch.nn.functional.l1_loss(generator(batch.lr), batch.hr)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    def time_steps(batches, step=step) -> float:
        step(next(batches))  # warm-up
        synchronize(device)
        start = time.perf_counter()
        for _ in range(options.train_steps):
            step(next(batches))
        synchronize(device)
        return (time.perf_counter() - start) / options.train_steps * 1000

    def fresh(source):
        for crops in source.batches(0, 2**31, batch_size=options.batch):
            yield make_batch(crops.images, crops.seeds, scale=4, resizer=resizer, augmentations=(dihedral,))

    def constant(source):
        batch = next(fresh(source))
        while True:
            yield batch

    ram = open_crops(options.data, crop=options.crop, cache="ram", device=device)
    on_device = open_crops(options.data, crop=options.crop, cache="device", device=device)
    return {
        "step, constant batch": lambda: time_steps(constant(ram)),
        "step, ram": lambda: time_steps(fresh(ram)),
        "step, device": lambda: time_steps(fresh(on_device)),
        "crops, flips and LR alone, ram": lambda: time_steps(fresh(ram), lambda batch: None),
        "crops, flips and LR alone, device": lambda: time_steps(fresh(on_device), lambda batch: None),
    }


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_pipeline", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--device", type=device_name, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--crop", type=at_least_one, default=96)
    parser.add_argument("--batch", type=at_least_one, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--crops-per-image", type=at_least_one, default=4)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--repeats", type=at_least_one, default=7)
    parser.add_argument("--train", action="store_true", help="also time training steps")
    parser.add_argument("--train-steps", type=at_least_one, default=50)
    parser.add_argument("--generator", default="srresnet")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    options = parse(arguments)
    device = torch.device(options.device)
    rates = {
        name: lambda b=batches: crops_per_second(
            b, batch=options.batch, seconds=options.seconds, device=device
        )
        for name, batches in build_cases(options, device).items()
    }
    measured = measure_in_turns(rates, repeats=options.repeats)
    results = [Result.of(name, "crops/s", values) for name, values in measured.items()]
    if options.train:
        steps = measure_in_turns(training_cases(options, device), repeats=options.repeats)
        results += [Result.of(name, "ms", values) for name, values in steps.items()]
    _print(results)
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k not in ("json", "data")}
        settings["images"] = options.data.name
        write_json(options.json, make_document("data_pipeline", settings, results, options.device))


def _print(results: list[Result]) -> None:
    base = max(r.median for r in results if r.name.startswith("plain"))
    constant = next((r.median for r in results if r.name == "step, constant batch"), None)
    for r in results:
        beside = f"{r.median / base:8.2f} x the plain loop" if r.unit == "crops/s" else ""
        if r.unit == "ms" and constant:
            more = r.median / constant - (1 if r.name.startswith("step") else 0)
            beside = f"{more * 100:+8.1f} % of the step on a constant batch"
        print(f"{r.name:40s} {r.median:12.1f} {r.unit:8s} [{r.q1:.1f}, {r.q3:.1f}] {beside}")


if __name__ == "__main__":
    run_main(main)

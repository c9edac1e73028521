"""Degraded images per second on the device, beside the same stages image by image on the CPU.

    python -m benchmarks.degradation --json benchmarks/results/degradation_cpu.json

The CPU implementation is the usual one of a Dataset: scipy's convolution, Pillow's resize and JPEG, numpy's
noise, one image after the other, with kernels, factors, noise and qualities drawn from the same ranges. It
runs in one process, as one worker of a loader would. Beside it: whole batches on the device, and each stage
alone.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

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
from kornia_srgan.components.transforms.degrade import DegradationPipeline, real_esrgan
from kornia_srgan.components.transforms.stage_blur import Blur
from kornia_srgan.contracts import Canvas

_RESAMPLING = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)


def degrade_one(image: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Real-ESRGAN's degradation of one uint8 image, on the CPU."""
    x = image.astype(np.float32) / 255
    for blur, low, high, sigma, relative in (
        (Blur(), 0.15, 1.5, 30, image.shape[0]),
        (Blur(p=0.8, sigma=(0.2, 1.5)), 0.3, 1.2, 25, size),
    ):
        x = _filter(x, blur, rng)
        x = _resize(x, max(1, round(relative * rng.uniform(low, high))), rng)
        x = np.clip(x + rng.normal(0, rng.uniform(1, sigma) / 255, x.shape).astype(np.float32), 0, 1)
        x = _jpeg(x, rng)
    return (_resize(x, size, rng) * 255).round().astype(np.uint8)


def _filter(x: np.ndarray, blur: Blur, rng: np.random.Generator) -> np.ndarray:
    from scipy.ndimage import convolve

    kernel = blur.kernels((int(rng.integers(2**62)),))[0].numpy().astype(np.float32)
    return np.stack([convolve(x[..., c], kernel, mode="mirror") for c in range(3)], axis=-1)


def _resize(x: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    how = _RESAMPLING[int(rng.integers(3))]
    planes = [Image.fromarray(x[..., c]).resize((side, side), how) for c in range(3)]
    return np.clip(np.stack([np.asarray(p) for p in planes], axis=-1), 0, 1)


def _jpeg(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    buffer = io.BytesIO()
    picture = Image.fromarray((x * 255).round().astype(np.uint8))
    picture.save(buffer, "JPEG", quality=int(rng.integers(30, 96)))
    return np.asarray(Image.open(buffer), np.float32) / 255


def stage_cases(
    pipeline: DegradationPipeline, images: torch.Tensor, size: tuple[int, int]
) -> dict[str, Callable[[], object]]:
    """Each stage alone, on what comes to it."""
    cases: dict[str, Callable[[], object]] = {}
    count, _, height, width = images.shape
    canvas = Canvas(images, (height,) * count, (width,) * count)
    seeds = tuple(range(count))
    for i, stage in enumerate(pipeline.stages):
        cases[f"stage {i}: {type(stage).__name__}"] = lambda s=stage, c=canvas: s(c, seeds, size)
        canvas = stage(canvas, seeds, size)
    return cases


def rate(call: Callable[[], object], count: int, seconds: float, device: torch.device) -> float:
    """Images per second of a call that makes `count` of them."""
    call()
    synchronize(device)
    start, made = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        call()
        made += count
        synchronize(device)
    return made / (time.perf_counter() - start)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.degradation", description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write the result")
    parser.add_argument("--device", type=device_name, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--crop", type=at_least_one, default=256)
    parser.add_argument("--batch", type=at_least_one, default=16)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--repeats", type=at_least_one, default=5)
    options = parser.parse_args(arguments)
    device, side = torch.device(options.device), options.crop // 4

    generator = torch.Generator().manual_seed(0)
    small = torch.rand(options.batch, 3, 16, 16, generator=generator)
    images = torch.nn.functional.interpolate(small, size=(options.crop,) * 2, mode="bicubic").clamp(0, 1)
    arrays = list((images * 255).byte().permute(0, 2, 3, 1).numpy())
    images = images.to(device)
    pipeline, rng = real_esrgan(), np.random.default_rng(0)
    seeds = tuple(range(options.batch))

    calls: dict[str, tuple[Callable[[], object], int]] = {
        "image by image on the CPU": (lambda: [degrade_one(a, side, rng) for a in arrays[:4]], 4),
        "batch on the device": (lambda: pipeline(images, seeds, (side, side)), options.batch),
    }
    with torch.no_grad():
        for name, call in stage_cases(pipeline, images, (side, side)).items():
            calls[name] = (call, options.batch)
        measured = measure_in_turns(
            {
                name: lambda c=call, n=count: rate(c, n, options.seconds, device)
                for name, (call, count) in calls.items()
            },
            repeats=options.repeats,
        )
    results = [Result.of(name, "images/s", values) for name, values in measured.items()]
    for r in results:
        print(f"{r.name:30s} {r.median:10.1f} {r.unit} [{r.q1:.1f}, {r.q3:.1f}]")
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k != "json"}
        write_json(options.json, make_document("degradation", settings, results, options.device))


if __name__ == "__main__":
    run_main(main)

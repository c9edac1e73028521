"""The whole command for one photograph, from file to file, compared with its network alone.

    python -m benchmarks.whole_command PHOTO --json benchmarks/results/whole_command_NAME_cpu.json

The photograph is resized to one megapixel and saved as JPEG. Each run is `kornia-srgan upscale` to PNG in a
process of its own; its time and its highest resident memory are taken from outside. `network alone` is the
same pixels through the same `Upscaler` after a warm-up, in a process of its own too, without files.

On Linux a process starts with the peak of the one that starts it, so that a peak below this program's own
memory, some 600 MiB, is not seen.

Cases and repeats are measured in turns. Processor seconds are user and system time, which other programs
change less than seconds by the clock. `OMP_NUM_THREADS` sets the threads of both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.report import Result, at_least_one, make_document, measure_in_turns, run_main, write_json

SIZE = (1224, 817)
WEIGHTS = ("photo-x4", "srresnet-x4", "edsr-x4")


class Run(NamedTuple):
    """One run: seconds by the clock and of the processor; peak MiB, nan where it was not taken."""

    clock: float
    processor: float
    peak: float = float("nan")


def timed_process(arguments: list[str]) -> tuple[Run, str]:
    """Run Python in a process of its own; also what it printed."""
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    printed = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {child.returncode}")
    per_mebibyte = 2**20 if sys.platform == "darwin" else 2**10
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / per_mebibyte), printed


def network_alone(photo: Path, weights: str, dtype: str) -> Run:
    """The photograph through the `Upscaler` after a warm-up, with the settings of the command."""
    from kornia_srgan.allocator import keep_freed_memory
    from kornia_srgan.inference.upscaler import Upscaler

    keep_freed_memory()
    upscaler = Upscaler.from_pretrained(weights, device="cpu", dtype=dtype)
    with Image.open(photo) as opened:
        pixels = np.array(opened.convert("RGB"))
    chosen = upscaler.tuned(pixels)
    for _ in chosen.bands(pixels[:64]):
        pass
    start, worked = time.perf_counter(), time.process_time()
    for _ in chosen.bands(pixels):
        pass
    return Run(time.perf_counter() - start, time.process_time() - worked)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", type=Path, help="a photograph; it is resized")
    parser.add_argument("--size", type=at_least_one, nargs=2, default=SIZE, metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--weights", nargs="+", default=WEIGHTS)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--repeats", type=at_least_one, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--alone", metavar="WEIGHTS", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.alone:
        print(json.dumps(network_alone(options.photo, options.alone, options.dtype)[:2]))
        return
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory() as folder:
        photo, target = Path(folder, "in.jpg"), Path(folder, "out.png")
        with Image.open(options.photo) as opened:
            size = tuple(options.size)
            opened.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(photo, quality=92)

        def whole(name: str) -> float:
            command = ["-m", "kornia_srgan", "upscale", str(photo), "-o", str(target), "--weights", name]
            command += ["--dtype", options.dtype, "--device", "cpu", "--overwrite", "--quiet"]
            return noted(f"{name}: whole command", timed_process(command)[0])

        def alone(name: str) -> float:
            own = ["-m", "benchmarks.whole_command", str(photo), "--alone", name, "--dtype", options.dtype]
            return noted(f"{name}: network alone", Run(*json.loads(timed_process(own)[1])))

        def noted(case: str, run: Run) -> float:
            runs.setdefault(case, []).append(run)
            return run.clock

        kinds = {"whole": whole, "alone": alone}
        cases = {
            f"{name}: {kind}": partial(run, name) for name in options.weights for kind, run in kinds.items()
        }
        measure_in_turns(cases, repeats=options.repeats)
    results: list[Result] = []
    for name in options.weights:
        whole_runs, alone_runs = runs[f"{name}: whole command"], runs[f"{name}: network alone"]
        spent = Result.of(f"{name}: whole command", "s", [run.clock for run in whole_runs])
        network = Result.of(f"{name}: network alone", "s", [run.clock for run in alone_runs])
        worked = Result.of(f"{name}: whole command, processor", "s", [run.processor for run in whole_runs])
        inner = Result.of(f"{name}: network alone, processor", "s", [run.processor for run in alone_runs])
        peak = Result.of(f"{name}: peak memory", "MiB", [run.peak for run in whole_runs])
        results += [spent, network, worked, inner, peak]
        print(
            f"{name}: {spent.median:.1f} s, network alone {network.median:.1f} s; of the processor "
            f"{worked.median:.1f} s, {inner.median:.1f} s, ratio {worked.median / inner.median:.2f}; "
            f"peak {peak.median:.0f} MiB",
            flush=True,
        )
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k not in ("json", "photo", "alone")}
        write_json(options.json, make_document("whole_command", settings, results, "cpu"))


if __name__ == "__main__":
    run_main(main)

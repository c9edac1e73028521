"""How resident memory and time grow with the size of the photograph, for `kornia-srgan upscale`.

    python -m benchmarks.upscale_memory --json benchmarks/results/upscale_memory_cpu.json

Each size runs in a process of its own, from file to file, and reports that process's highest resident
memory. The photograph is smooth noise saved as JPEG. `--output tif` shows the streamed output, `png` the one
that Pillow must hold whole.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.report import Result, at_least_one, make_document, run_main, write_json

SIZES = {"1 MP": (1152, 864), "3 MP": (2000, 1500), "12 MP": (4000, 3000)}


def photograph(path: Path, width: int, height: int) -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (height // 16, width // 16, 3), np.uint8)
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)


def generator_file(path: Path, channels: int, blocks: int) -> None:
    """Weights of an untrained `edsr`: memory and time do not depend on what was learned."""
    from kornia_srgan.registry.catalog import GENERATORS
    from kornia_srgan.weights.files import save_weights
    from kornia_srgan.weights.spec import WeightSpec

    args: dict[str, Any] = {"channels": channels, "num_blocks": blocks}
    module: Any = GENERATORS.create("edsr", scale=4, **args)
    save_weights(path, module.state_dict(), WeightSpec(name="edsr", args=args, scale=4))


def measure(command: list[str]) -> dict[str, float]:
    """Peak memory in MiB and seconds of a command line, as the command itself reports them."""
    program = [sys.executable, "-m", "benchmarks.upscale_memory", "--child", *command]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return json.loads(done.stdout.splitlines()[-1])


def child(command: list[str]) -> None:
    import time

    from kornia_srgan.cli.app import run_command_line

    start = time.perf_counter()
    code = run_command_line(["upscale", *command])
    if code:
        sys.exit(code)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mebibytes = peak / 2**20 if sys.platform == "darwin" else peak / 2**10
    print(json.dumps({"mebibytes": mebibytes, "seconds": time.perf_counter() - start}))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--weights", help="by default an untrained edsr")
    parser.add_argument("--channels", type=at_least_one, default=48)
    parser.add_argument("--blocks", type=at_least_one, default=6)
    parser.add_argument("--tile", default="auto")
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--output", nargs="*", default=["png", "tif"])
    options = parser.parse_args()
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = options.weights or str(folder / "edsr.safetensors")
        if options.weights is None:
            generator_file(Path(weights), options.channels, options.blocks)
        for label in options.sizes:
            width, height = SIZES[label]
            photograph(folder / "in.jpg", width, height)
            for suffix in options.output:
                target = folder / f"out.{suffix}"
                command = [str(folder / "in.jpg"), "-o", str(target), "--weights", weights]
                command += ["--tile", options.tile, "--device", "cpu", "--overwrite", "--quiet"]
                found = measure(command)
                size = width * height / 1e6
                results.append(Result.of(f"{label} to {suffix}: peak memory", "MiB", [found["mebibytes"]]))
                results.append(Result.of(f"{label} to {suffix}: speed", "MP/s", [size / found["seconds"]]))
                print(
                    f"{label} to {suffix}: {found['mebibytes']:.0f} MiB, {found['seconds']:.1f} s", flush=True
                )
    if options.json:
        setting = {"tile": options.tile, "weights": options.weights or "untrained edsr"}
        if options.weights is None:
            setting |= {"channels": options.channels, "blocks": options.blocks}
        write_json(options.json, make_document("upscale_memory", setting, results, "cpu"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        run_main(main)

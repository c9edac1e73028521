"""What share of `kornia-srgan upscale` on a folder of photographs is the network.

    python -m benchmarks.upscale_folder --photos FOLDER --json benchmarks/results/upscale_folder_cpu.json

Each run is the whole command in a process of its own. It notes the seconds inside the generator (one forward
runs at a time, whatever `--jobs`) and the moment of the first forward; the process is timed from outside.

- network: seconds inside the generator's forwards
- start-up: from the start of the process to the first forward (interpreter, imports, weights, finding files,
  the choice of a tile, decoding the first photograph)
- rest: what is left: reading and writing that nothing overlapped, and the end of the process
- share: network / total, and without the start-up network / (total - start-up)

Where coding overlaps the network, both want the same cores and a forward takes longer: compare totals, not
only shares. `network alone` is the same forwards with nothing beside them, in a run that writes nothing.

The photographs are cut from those of `--photos`, or are smooth noise where none is given.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from benchmarks.report import Result, at_least_one, make_document, measure_in_turns, run_main, write_json

T = TypeVar("T")
FIELDS = ("total", "network", "startup", "rest")


def make_photos(folder: Path, source: Path | None, count: int, width: int, height: int) -> None:
    """JPEG files of one size, reduced from those of a folder, in turn, or made of noise."""
    from kornia_srgan.data.images import find_images

    found = find_images([source]) if source is not None else []
    rng = np.random.default_rng(0)
    for index in range(count):
        if found:
            with Image.open(found[index % len(found)]) as opened:
                photo = opened.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        else:
            noise = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), dtype=np.uint8)
            photo = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        photo.save(folder / f"{index:03d}.jpg", quality=92)


def timed_command(arguments: list[str]) -> dict[str, float]:
    """Run the command in a process of its own; seconds of its parts, which sum to `total`."""
    program = [sys.executable, "-m", "benchmarks.upscale_folder", "--child", *arguments]
    start = time.time()
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    total = time.time() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed: {done.stderr.strip()}")
    inside = json.loads(done.stdout.splitlines()[-1])
    startup = inside["first"] - start
    rest = total - startup - inside["network"]
    return {"total": total, "network": inside["network"], "startup": startup, "rest": rest}


def child(arguments: list[str]) -> None:
    """The command with a stopwatch around the generator's work; a line of JSON on standard output."""
    from kornia_srgan.cli.app import run_command_line
    from kornia_srgan.inference import compute, upscaler

    pieces, strips = compute.compute_pieces, upscaler.compute_strips
    seconds, first = 0.0, 0.0

    def timed(action: Callable[..., T], *inputs: Any, **options: Any) -> T:
        nonlocal seconds, first
        start = time.time()
        result = action(*inputs, **options)
        seconds += time.time() - start
        first = first or start
        return result

    def timed_strips(*inputs: Any) -> Iterator[Any]:
        bands = strips(*inputs)
        while (band := timed(next, bands, None)) is not None:
            yield band

    compute.compute_pieces = partial(timed, pieces)  # type: ignore[assignment]
    upscaler.compute_strips = timed_strips  # type: ignore[assignment]
    code = run_command_line(["upscale", *arguments])
    if code:
        sys.exit(code)
    print(json.dumps({"network": seconds, "first": first}))


def network_alone(photos: Path, weights: str | None) -> float:
    """Seconds for the same photographs in memory through the `Upscaler`, after a warm-up, nothing beside."""
    from kornia_srgan.data.images import find_images, read_rgb
    from kornia_srgan.inference.upscaler import Upscaler

    upscaler = Upscaler.from_pretrained(weights, device="cpu")
    images = [read_rgb(path) for path in find_images([photos])]
    upscaler(images[0])
    start = time.perf_counter()
    for image in images:
        for _ in upscaler.bands(image):
            pass
    return time.perf_counter() - start


def measure(
    photos: Path, cases: dict[str, list[str]], *, weights: str | None, repeats: int
) -> tuple[list[Result], list[dict[str, Any]]]:
    """All cases in turns: results, and a row of medians and shares for each case."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    chosen = [] if weights is None else ["--weights", weights]

    def once(name: str) -> float:
        with tempfile.TemporaryDirectory() as folder:
            options = [str(photos), "-o", folder, "--device", "cpu", "--quiet", *chosen, *cases[name]]
            runs[name].append(timed_command(options))
        return runs[name][-1]["total"]

    measure_in_turns({name: lambda name=name: once(name) for name in cases}, repeats=repeats)
    results, rows = [], []
    for name, found in runs.items():
        results += [Result.of(f"{name}: {field}", "s", [run[field] for run in found]) for field in FIELDS]
        middle = sorted(found, key=lambda run: run["total"])[len(found) // 2]
        after = middle["total"] - middle["startup"]
        shares = {
            "share": middle["network"] / middle["total"],
            "share_after_startup": middle["network"] / after,
        }
        rows.append({"case": name, **middle, **shares})
    return results, rows


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, help="where to take photographs from")
    parser.add_argument("--count", type=at_least_one, default=50)
    parser.add_argument("--size", type=at_least_one, nargs=2, default=(240, 160), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--weights", help="as for the command; by default its default")
    parser.add_argument("--jobs", type=int, nargs="+", help="values of --jobs; by default the command's own")
    parser.add_argument("--format", nargs="+", default=["png"])
    parser.add_argument("--repeats", type=at_least_one, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    jobs = {f", --jobs {n}": ["--jobs", str(n)] for n in options.jobs} if options.jobs else {"": []}
    cases = {
        f"to {form}{label}": ["--format", form, *extra]
        for form in options.format
        for label, extra in jobs.items()
    }
    with tempfile.TemporaryDirectory() as name:
        photos = Path(name)
        make_photos(photos, options.photos, options.count, *options.size)
        results, rows = measure(photos, cases, weights=options.weights, repeats=options.repeats)
        alone = network_alone(photos, options.weights)
    results.append(Result.of("network alone", "s", [alone]))
    for row in rows:
        parts = ", ".join(f"{field} {row[field]:.2f} s" for field in FIELDS)
        print(
            f"{row['case']}: {parts}; network {row['share']:.1%} of all, "
            f"{row['share_after_startup']:.1%} after the start; {options.count / row['total']:.2f} photos/s"
        )
    print(f"network alone: {alone:.2f} s")
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k not in ("json", "photos")}
        settings |= {"photos": "reduced from photographs" if options.photos else "smooth noise"}
        content = make_document("upscale_folder", settings, results, "cpu")
        write_json(options.json, content | {"cases": rows})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2:])
    else:
        run_main(main)

"""How long a user waits before anything happens: importing the package, `--help`, `list`.

    python -m benchmarks.startup --json benchmarks/results/startup_cpu.json

Every measurement is a process of its own. For `import kornia_srgan` it is the time that the import takes
inside a fresh interpreter; for the commands it is the whole process, the interpreter included. `python -c
pass` is measured beside them: no command can be faster. The first run of each, which fills the system's file
cache, does not count.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.report import Result, at_least_one, make_document, measure_in_turns, run_main, write_json

IMPORT = "import kornia_srgan"
_TIMED_IMPORT = f"import time; t = time.perf_counter(); {IMPORT}; print(time.perf_counter() - t)"
LIMITS = {IMPORT: 0.1, "kornia-srgan --help": 0.5, "kornia-srgan list": 1.0}
"""Seconds within which each is meant to end."""


def seconds_of_import() -> float:
    """Of the import alone, in a fresh interpreter."""
    return float(_run([sys.executable, "-c", _TIMED_IMPORT]))


def seconds_of_process(arguments: list[str]) -> float:
    """Of a Python process from start to end."""
    start = time.perf_counter()
    _run([sys.executable, *arguments])
    return time.perf_counter() - start


def _run(program: list[str]) -> str:
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(program)} failed: {done.stderr.strip()}")
    return done.stdout


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=at_least_one, default=11)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    cases: dict[str, Callable[[], float]] = {"python -c pass": partial(seconds_of_process, ["-c", "pass"])}
    cases[IMPORT] = seconds_of_import
    for name in list(LIMITS)[1:]:
        cases[name] = partial(seconds_of_process, ["-m", "kornia_srgan", *name.split()[1:]])
    for case in cases.values():
        case()
    results = [
        Result.of(name, "s", v) for name, v in measure_in_turns(cases, repeats=options.repeats).items()
    ]
    for result in results:
        limit = f", limit {LIMITS[result.name]:g} s" if result.name in LIMITS else ""
        print(f"{result.name}: {result.median:.3f} s [{result.q1:.3f}, {result.q3:.3f}]{limit}")
    if options.json:
        settings = {"repeats": options.repeats, "limits": LIMITS}
        write_json(options.json, make_document("startup", settings, results, "cpu"))


if __name__ == "__main__":
    run_main(main)

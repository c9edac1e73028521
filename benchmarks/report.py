"""What every benchmark shares: the machine in words, medians with quartiles, and the JSON file."""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCHEMA = 1


@dataclass(frozen=True)
class Result:
    """Repeated measurements of one thing."""

    name: str
    unit: str
    values: tuple[float, ...]
    median: float
    q1: float
    q3: float

    @classmethod
    def of(cls, name: str, unit: str, values: Sequence[float]) -> Result:
        """Median and quartiles of values."""
        several = list(values) * (2 if len(values) == 1 else 1)  # quantiles wants two points
        q1, median, q3 = statistics.quantiles(several, n=4, method="inclusive")
        return cls(name, unit, tuple(values), median, q1, q3)


def alternate(
    cases: Mapping[str, Callable[[], float]], *, repeats: int, seed: int = 0
) -> dict[str, list[float]]:
    """Measure every case once a round, in another order each round, so that drift hits all alike."""
    order = random.Random(seed)
    values: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name in order.sample(list(cases), len(cases)):
            values[name].append(cases[name]())
    return values


def machine(device: str = "cpu") -> dict[str, Any]:
    """The machine and the versions that a figure belongs to."""
    import kornia
    import torch

    import kornia_srgan

    found = {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": [round(x, 2) for x in os.getloadavg()],
        "os": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "kornia": kornia.__version__,
        "kornia_srgan": getattr(kornia_srgan, "__version__", ""),
        "revision": _revision(),
        "device": device,
    }
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(device)
        found["cuda"] = torch.version.cuda
    return found


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (x.partition(":")[2].strip() for x in lines if x.startswith("model name")), platform.machine()
    )


def _revision() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def document(
    benchmark: str, settings: Mapping[str, Any], results: Sequence[Result], device: str
) -> dict[str, Any]:
    """A benchmark's results as they are written to disk."""
    return {
        "schema": SCHEMA,
        "benchmark": benchmark,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(device),
        "settings": dict(settings),
        "results": [asdict(r) for r in results],
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, path)

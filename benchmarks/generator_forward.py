"""Every registered generator: the plain eager module (NCHW) beside the optimised one, on the same input.

    python -m benchmarks.generator_forward --generator srresnet --sizes 128 --json FILE

Both forms of a generator run in turns, each round in another order, after a warm-up. FLOPs (two for a
multiply and add) are counted, not estimated, and set beside the rate of a float32 matrix product measured in
the same process. The optimised form may count more FLOPs and still take less time. A case that fails is
reported as failed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.report import Result, alternate, document, write_json
from kornia_srgan.catalog import GENERATORS
from kornia_srgan.inference.optimize import optimize_for_inference

FORMS = ("plain", "optimized")


def count_flops(module: nn.Module, images: torch.Tensor) -> int:
    """FLOPs of one forward, of its convolutions and matrix products."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(images)
    return counter.get_total_flops()


def matmul_rate(device: torch.device, side: int = 1024, repeats: int = 5) -> float:
    """FLOP/s of the fastest of some float32 matrix products, after a warm-up."""
    a = torch.rand(side, side, device=device)
    times = [_seconds(lambda: a @ a, device) for _ in range(repeats + 1)]
    return 2 * side**3 / min(times[1:])


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@torch.inference_mode()
def measure(
    name: str, size: int, *, device: torch.device, repeats: int, peak: float, arguments: dict[str, Any]
) -> tuple[list[Result], dict[str, Any]]:
    """Both forms of one generator at one size: results, and a row of what was counted."""
    torch.manual_seed(0)
    net = GENERATORS.create(name, **arguments)
    plain = net.to(device).eval()  # type: ignore[attr-defined]
    images = torch.rand(1, 3, size, size, device=device)
    laid_out = images.contiguous(memory_format=torch.channels_last)
    runs = {"plain": (plain, images), "optimized": (optimize_for_inference(plain), laid_out)}
    outputs = [module(lr) for module, lr in runs.values()]  # also the warm-up
    megapixels = outputs[0].shape[-2] * outputs[0].shape[-1] / 1e6
    times = alternate(
        {form: lambda m=m, x=x: _seconds(lambda: m(x), device) for form, (m, x) in runs.items()},
        repeats=repeats,
    )
    peak = max(peak, matmul_rate(device))  # a busy moment must not lower the rate that others are set beside
    results = [Result.of(f"{name} {size} {f}", "MP/s", [megapixels / t for t in times[f]]) for f in FORMS]
    flops = {form: count_flops(module, lr) for form, (module, lr) in runs.items()}
    seconds = {form: megapixels / r.median for form, r in zip(FORMS, results, strict=True)}
    row: dict[str, Any] = {
        "generator": name,
        "size": size,
        "status": "ok",
        "flops": flops,
        "fraction_of_matmul": {form: flops[form] / seconds[form] / peak for form in FORMS},
        "speedup": seconds["plain"] / seconds["optimized"],
        # An untrained network with BatchNorm answers in the hundreds: rounding is relative to that.
        "relative_difference": ((outputs[0] - outputs[1]).abs().max() / outputs[0].abs().max()).item(),
    }
    return results, row


def run(
    names: list[str], sizes: list[int], *, device: torch.device, repeats: int, arguments: dict[str, Any]
) -> tuple[list[Result], list[dict[str, Any]], float]:
    """All cases, failed ones with their reason; and the machine's matrix-product rate."""
    peak = matmul_rate(device)
    results: list[Result] = []
    rows: list[dict[str, Any]] = []
    for name in names:
        for size in sizes:
            try:
                found, row = measure(
                    name, size, device=device, repeats=repeats, peak=peak, arguments=arguments
                )
            except Exception as error:  # any generator may be a plug-in; its failure is a result as well
                found, row = [], {"generator": name, "size": size, "status": "failed", "error": str(error)}
            results += found
            rows.append(row)
            print(_line(row, found), flush=True)
    return results, rows, peak


def _line(row: dict[str, Any], found: list[Result]) -> str:
    case = f"{row['generator']:12s} {row['size']:5d}"
    if row["status"] == "failed":
        return f"{case}  failed: {row['error']}"
    parts = [
        f"{form} {r.median:.3f} MP/s [{r.q1:.3f}, {r.q3:.3f}], "
        f"{row['fraction_of_matmul'][form]:.2f} of matmul"
        for form, r in zip(FORMS, found, strict=True)
    ]
    return f"{case}  {'; '.join(parts)}; {row['speedup']:.2f}x"


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generator_forward", description=__doc__)
    parser.add_argument("--generator", action="append", help="a registered name; all of them by default")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128], help="sides of the LR image")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--json", type=Path, help="where to write the result")
    options = parser.parse_args(arguments)
    names = options.generator or GENERATORS.names()
    results, rows, peak = run(
        list(names),
        options.sizes,
        device=torch.device(options.device),
        repeats=options.repeats,
        arguments={"scale": options.scale},
    )
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k != "json"} | {"generator": list(names)}
        content = document("generator_forward", settings, results, options.device)
        write_json(options.json, content | {"matmul_flops_per_second": peak, "cases": rows})


if __name__ == "__main__":
    main()

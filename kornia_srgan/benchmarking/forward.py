"""Measures the forward pass of generators and compares engines in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from kornia_srgan.benchmarking.agreement import check_image, difference
from kornia_srgan.benchmarking.cost import count_flops, count_plain_flops, matmul_rate, seconds_of
from kornia_srgan.benchmarking.engines import Engine, Forward, ForwardPass, Network, set_up_own
from kornia_srgan.benchmarking.measurements import Result
from kornia_srgan.benchmarking.peak_memory import memory_method, peak_memory
from kornia_srgan.benchmarking.plan import Plan
from kornia_srgan.benchmarking.schema import FORWARD, OURS, Case, ForwardDocument, Run, make_document
from kornia_srgan.benchmarking.subjects import Subject
from kornia_srgan.explain import one_line
from kornia_srgan.ops.measured import measure_in_turns
from kornia_srgan.optimize.device import pick_dtype
from kornia_srgan.optimize.optimize import mixes_precision
from kornia_srgan.optimize.rewrites import count_folded_parameters

UNIT = "MP/s"
# Before each measurement: threads of the engine before may spin on for some milliseconds; not its cost.
_PAUSE = 0.02
_MOST = 300  # characters of an error


@dataclass
class _Draft:
    """A case while its runs come in."""

    facts: dict[str, Any]
    runs: list[Run] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    @property
    def case(self) -> Case:
        return Case(**self.facts, runs=tuple(self.runs))


def run_forward(
    subjects: Sequence[Subject],
    plan: Plan,
    *,
    engines: Sequence[Engine] = (),
    device: torch.device | str = "cpu",
    progress: Callable[[str], None] = lambda label: None,
) -> ForwardDocument:
    """Measure every network on every input, in turns with the other engines.

    Networks that cannot be created, engines that cannot run them, and wrong images are results too: their
    `status` is `failed`, with the reason.

    Args:
        subjects: The networks, see `find_subjects`.
        plan: What to measure.
        engines: Other engines to compare with.
        device: The device of kornia_srgan.
        progress: Called with the label of each case at its beginning.
    """
    device = torch.device(device)
    rates: dict[str, float] = {}
    drafts: list[_Draft] = []
    for subject in subjects:
        network, error = _load(subject)
        for facts in _inputs(subject, network, plan, device):
            draft = _Draft(facts)
            progress(draft.case.label)
            if facts["dtype"] not in rates:
                _wake(device, facts["dtype"])
                _update_rate(rates, device, facts["dtype"])
            if network is None:
                draft.runs = _all_failed(engines, error)
            else:
                _measure(draft, network, plan, engines, device)
                _update_rate(rates, device, facts["dtype"])
            drafts.append(draft)
    content = make_document(
        FORWARD,
        asdict(plan) | {"subjects": [s.label for s in subjects], "against": [e.name for e in engines]},
        [result for draft in drafts for result in draft.results],
        str(device),
        matmul_flops_per_second=rates,
        memory=memory_method(device),
        cases=[_with_fractions(draft, rates) for draft in drafts],
    )
    return ForwardDocument.model_validate(content)


def _load(subject: Subject) -> tuple[Network | None, str]:
    try:
        return Network(subject.load()), ""
    except Exception as error:  # a plug-in's constructor may raise anything
        return None, one_line(error, _MOST)


def _inputs(
    subject: Subject, network: Network | None, plan: Plan, device: torch.device
) -> Iterator[dict[str, Any]]:
    """What is known of each case before it runs."""
    size = count_folded_parameters(network.module) if network else None
    dtypes = [_dtype_of_case(dtype, device) for dtype in plan.dtypes]
    inputs = product(plan.sizes, plan.batches, dtypes, plan.memory_formats)
    for (height, width), batch, dtype, memory_format in dict.fromkeys(inputs):
        yield {
            "subject": subject.label,
            "kind": subject.kind,
            "scale": network.spec.scale if network else subject.scale,
            "parameters": size,
            "flops": None,
            "batch": batch,
            "height": height,
            "width": width,
            "dtype": dtype,
            "memory_format": memory_format,
            "compiled": plan.compiled,
            "optimized": plan.optimized,
            "own_engine": plan.engine,
        }


def _dtype_of_case(dtype: str, device: torch.device) -> str:
    """The full name; `auto` where that is no single dtype."""
    if dtype == "auto" and mixes_precision(device):
        return dtype
    return str(pick_dtype(dtype, device)).removeprefix("torch.")


@dataclass(frozen=True)
class _Ready:
    """An engine that has done its first forward."""

    forward: Forward
    output: Tensor
    memory: float | None
    flops: int | None
    version: str
    computed_by: str = ""


def _measure(
    draft: _Draft, network: Network, plan: Plan, engines: Sequence[Engine], device: torch.device
) -> None:
    """Fill in the runs of a case, this package's first."""
    facts = draft.facts
    shape = (facts["batch"], network.spec.channels, facts["height"], facts["width"])
    try:
        images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        images = images.to(device, pick_dtype(draft.facts["dtype"]))
    except Exception as error:  # more than fits into memory, or a dtype that the device does not have
        draft.runs = _all_failed(engines, one_line(error, _MOST))
        return
    work = ForwardPass(network, images, mixed=facts["dtype"] == "auto")
    draft.facts["flops"] = _counted(count_plain_flops, network.module, images)
    ready: dict[str, _Ready] = {}
    errors: dict[str, str] = {}
    for name in (OURS, *(engine.name for engine in engines)):
        engine = next((e for e in engines if e.name == name), None)
        try:
            started = _start(engine, work, draft, plan)
            own = ready.get(OURS)
            check_image(started.output, work, own.output if own else None)
            ready[name] = started
        except Exception as error:
            errors[name] = one_line(error, _MOST)
    times: dict[str, list[float]] = {}
    try:
        times = measure_in_turns(
            {n: _timed(r.forward, device) for n, r in ready.items()}, repeats=plan.repeats
        )
    except Exception as error:  # the device failed under load, whoever's turn it was
        errors |= dict.fromkeys(ready, one_line(error, _MOST))
    megapixels = (network.spec.scale**2) * images.shape[0] * images.shape[2] * images.shape[3] / 1e6
    label = draft.case.label
    for name in (OURS, *(engine.name for engine in engines)):
        if name in errors:
            version = next((e.version for e in engines if e.name == name), "")
            draft.runs.append(_failed(name, version, errors[name]))
        else:
            result = Result.of(f"{label} / {name}", UNIT, [megapixels / t for t in times[name]])
            draft.results.append(result)
            draft.runs.append(_run(name, result, ready, draft))


def _start(engine: Engine | None, work: ForwardPass, draft: _Draft, plan: Plan) -> _Ready:
    """Set an engine up and run it as often as the warm-up wants."""
    if engine is None:
        own = set_up_own(
            work,
            optimized=plan.optimized,
            channels_last=draft.facts["memory_format"] == "channels_last",
            compiled=plan.compiled,
            engine=plan.engine,
        )
        forward, version = own.forward, _own_version()
    else:
        own, forward, version = None, engine.start(work), engine.version
    with torch.inference_mode():
        output, memory = peak_memory(forward, work.images.device)
        for _ in range(plan.warmup - 1):
            forward()
    computed_by = own.computed_by if own else ""
    flops = draft.facts["flops"]
    if own and computed_by == "torch":
        flops = _counted(count_flops, own.module, own.images)
    return _Ready(forward, output.float().cpu(), memory, flops, version, computed_by)


def _counted(count: Callable[[nn.Module, Tensor], int], module: nn.Module, images: Tensor) -> int | None:
    try:
        return count(module, images) or None
    except Exception:  # what cannot be counted can still be timed
        return None


def _timed(forward: Forward, device: torch.device) -> Callable[[], float]:
    def seconds() -> float:
        time.sleep(_PAUSE)
        with torch.inference_mode():
            return seconds_of(forward, device)

    return seconds


def _run(name: str, result: Result, ready: dict[str, _Ready], draft: _Draft) -> Run:
    own = ready[name]
    facts: dict[str, Any] = {}
    if name != OURS and OURS in ready:
        speed = next((r for r in draft.results if r.name.endswith(f" / {OURS}")), None)
        facts["ratio"] = speed.median / result.median if speed else None
        facts["max_difference"], facts["relative_difference"] = difference(own.output, ready[OURS].output)
    return Run(
        engine=name,
        version=own.version,
        status="ok",
        result=result.name,
        peak_memory_mib=own.memory,
        flops=own.flops,
        computed_by=own.computed_by,
        **facts,
    )


def _failed(name: str, version: str, error: str) -> Run:
    return Run(
        engine=name, version=version or (_own_version() if name == OURS else ""), status="failed", error=error
    )


def _all_failed(engines: Sequence[Engine], error: str) -> list[Run]:
    return [_failed(OURS, "", error), *(_failed(e.name, e.version, error) for e in engines)]


def _with_fractions(draft: _Draft, rates: dict[str, float]) -> Case:
    """The case, its rates set beside the best matrix product of the whole run."""
    peak = rates.get(draft.facts["dtype"])
    medians = {result.name: result.median for result in draft.results}
    pixels = draft.facts["batch"] * draft.facts["height"] * draft.facts["width"]
    megapixels = (draft.facts["scale"] or 0) ** 2 * pixels / 1e6

    def fractions(run: Run) -> dict[str, float | None]:
        counts = {"matmul_fraction": run.flops, "effective_fraction": draft.facts["flops"]}
        if run.result is None or not peak:
            return dict.fromkeys(counts)
        seconds = megapixels / medians[run.result]
        return {key: flops / seconds / peak if flops else None for key, flops in counts.items()}

    runs = (run.model_copy(update=fractions(run)) for run in draft.runs)
    return Case(**draft.facts, runs=tuple(runs))


def _wake(device: torch.device, dtype: str) -> None:
    """A small convolution: what libraries allocate once and for all is not the first case's memory."""
    try:
        ones = torch.ones(8, 8, 16, 16, device=device, dtype=pick_dtype(dtype))
        torch.conv2d(ones, ones[..., :3, :3])
    except RuntimeError:  # the cases will say so
        return


def _update_rate(rates: dict[str, float], device: torch.device, dtype: str) -> None:
    """Measure the matrix product once more: a busy moment must not lower what others are set beside."""
    try:
        found = matmul_rate(device, torch.bfloat16 if dtype == "auto" else pick_dtype(dtype))
    except RuntimeError:  # this device has no such product
        return
    rates[dtype] = max(found, rates.get(dtype, 0.0))


def _own_version() -> str:
    from kornia_srgan._version import __version__

    return __version__

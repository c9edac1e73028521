"""Reports the progress of a run: progress bar, metrics.jsonl, plot of the losses, trackers."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from torch import Tensor

from kornia_srgan.atomic import replacing, write_text
from kornia_srgan.errors import MissingExtraError, TrainingError, UserError, did_you_mean
from kornia_srgan.training.run_folder import RunFolder

SECONDS_BETWEEN_PLOTS = 30.0  # drawing takes half a second: as long as many steps of a small network


def check_trackers(names: tuple[str, ...]) -> None:
    """Refuse trackers that are unknown or not installed, before the first step.

    Raises:
        UserError: If Accelerate knows no such tracker.
        MissingExtraError: If its package is not installed (Accelerate itself would only warn).
    """
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
    from accelerate.utils import LoggerType

    known = [kind.value for kind in LoggerType if kind.value in LOGGER_TYPE_TO_CLASS]
    available = [LoggerType(name).value for name in get_available_trackers()]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UserError.at(
                "train.trackers", f"unknown tracker '{name}'{hint or ';'} known: {', '.join(known)}"
            )
        if name not in available:
            raise MissingExtraError.at(
                "train.trackers",
                f"'{name}' is not installed; pip install {name}, or leave it out: "
                "metrics.jsonl is always written",
            )


class Journal:
    """Collects the results of steps and writes them at log intervals; only the main process writes.

    Terms stay on the device between intervals, so that logging does not delay the steps.
    """

    def __init__(self, folder: RunFolder, accelerator: Accelerator) -> None:
        self._folder = folder
        self._accelerator = accelerator
        self._images_per_step = 0
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}
        self._since = (time.perf_counter(), 0)
        self._plotted = time.perf_counter()
        self.console = _console(quiet=not accelerator.is_main_process)
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[note]}", table_column=Column(ratio=1, no_wrap=True)),
            TimeRemainingColumn(),
            console=self.console,
            expand=True,  # the note takes what is left: at 80 columns a GAN's losses are cut, not the bar
            disable=not (accelerator.is_main_process and self.console.is_terminal),
        )
        self._task: TaskID | None = None

    def begin_stage(self, name: str, steps: int, done: int, *, images_per_step: int) -> None:
        """Start the progress bar of a stage."""
        self._images_per_step = images_per_step
        self._bar.start()
        self._task = self._bar.add_task(name, total=steps, completed=done, note="")
        self._since = (time.perf_counter(), done)

    def end_stage(self) -> None:
        """Finish the progress bar of a stage."""
        self._bar.stop()
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None

    def say(self, text: str) -> None:
        """Print a line above the progress bar."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def add(self, terms: Mapping[str, Tensor], step: int) -> None:
        """Add the result of a step."""
        for name, value in terms.items():
            old = self._sums.get(name)
            self._sums[name] = value if old is None else old + value
            self._counts[name] = self._counts.get(name, 0) + 1
        if self._task is not None:
            self._bar.update(self._task, completed=step)

    def flush(self, *, stage: str, step: int, total: int, lr: float) -> None:
        """Write the means since the last flush."""
        names = sorted(self._sums)
        if not names:
            return
        means = torch.stack([self._sums[n].float() / self._counts[n] for n in names])
        means = torch.as_tensor(self._accelerator.reduce(means, "mean"))
        values = dict(zip(names, means.tolist(), strict=True))
        self._sums, self._counts = {}, {}
        now, (then, old_step) = time.perf_counter(), self._since
        self._since = (now, step)
        rate = (step - old_step) * self._images_per_step / max(now - then, 1e-9)
        if not self._accelerator.is_main_process:
            return
        shown = "  ".join(f"{n} {v:.4g}" for n, v in values.items() if not n.endswith("grad_norm"))
        note = f"{shown}  {rate:.0f} images/s"
        if self._task is not None:
            self._bar.update(self._task, note=note)
        if self._bar.disable:
            self.say(f"{stage} {step}  {note}  lr {lr:.2e}")
        self.record({"stage": stage, "step": step, "total": total, "lr": lr, "images_per_s": rate, **values})

    def record(self, values: Mapping[str, Any]) -> None:
        """Append to metrics.jsonl and log to the trackers."""
        if not self._accelerator.is_main_process:
            return
        clean = {k: _jsonable(v) for k, v in values.items()}
        _append(self._folder.metrics, json.dumps(clean))
        if self._accelerator.trackers:
            numbers = {k: v for k, v in clean.items() if isinstance(v, int | float)}
            self._accelerator.log(numbers, step=int(values["total"]))

    def rewind(self, total: int, *, step: int, keep_events: bool = False) -> None:
        """Drop entries after a step, which the run will write again; events may be kept."""
        self._sums, self._counts = {}, {}
        self._since = (time.perf_counter(), step)
        if not (self._accelerator.is_main_process and self._folder.metrics.is_file()):
            return
        lines = self._folder.metrics.read_text("utf-8").splitlines()
        totals = [(line, _total_of(line)) for line in lines]
        kept = [
            line
            for line, at in totals
            if at is not None and (at <= total or (keep_events and '"event"' in line))
        ]
        write_text(self._folder.metrics, "".join(f"{line}\n" for line in kept))

    def plot(self, *, final: bool = False) -> None:
        """Draw the losses of metrics.jsonl: at the end of a run always, before it at most twice a minute."""
        now = time.perf_counter()
        if not final and now - self._plotted < SECONDS_BETWEEN_PLOTS:
            return
        if self._accelerator.is_main_process and self._folder.metrics.is_file():
            self._plotted = now
            plot_losses(self._folder.metrics, self._folder.plot)


def _console(*, quiet: bool) -> Console:
    console = Console(stderr=True, quiet=quiet)
    if not console.is_jupyter:
        return console
    # In a notebook each line would become an output of its own, and each turn of the bar one more.
    return Console(stderr=True, quiet=quiet, force_jupyter=False, force_terminal=False)


def _append(file: Path, line: str) -> None:
    """Append a line, or raise an error with the reason, such as a full disk."""
    try:
        with file.open("a", encoding="utf-8") as handle:
            handle.write(line + "\n")
    except OSError as error:
        raise TrainingError(
            f"{file} could not be written: {error.strerror}; fix that, then continue with --resume",
            where=file,
        ) from error


def _jsonable(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _total_of(line: str) -> int | None:
    try:
        return json.loads(line).get("total")
    except json.JSONDecodeError:  # the last line of a run that was killed
        return None


_NOT_LOSSES = ("stage", "step", "total", "lr", "images_per_s", "event")


def plot_losses(metrics: Path, picture: Path) -> None:
    """Draw every series of a metrics.jsonl over the steps, one panel each.

    Args:
        metrics: The file to read.
        picture: The PNG to write.
    """
    from matplotlib.figure import Figure

    series: dict[str, list[tuple[int, float]]] = {}
    for line in metrics.read_text("utf-8").splitlines():
        if _total_of(line) is None:
            continue
        values = json.loads(line)
        for name, value in values.items():
            if name not in _NOT_LOSSES and isinstance(value, int | float):
                series.setdefault(name, []).append((values["total"], value))
    if not series:
        return
    columns = min(3, len(series))
    rows = math.ceil(len(series) / columns)
    figure = Figure(figsize=(5 * columns, 3 * rows), layout="constrained")
    for index, (name, points) in enumerate(sorted(series.items())):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.plot(*zip(*points, strict=True), linewidth=1)
        axes.set_title(name)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    with replacing(picture) as temporary:
        figure.savefig(temporary, format="png", dpi=80)

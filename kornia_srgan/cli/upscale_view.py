"""What `kornia-srgan upscale` shows: the progress bar, a line for each file, failures, the JSON report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from kornia_srgan.cli.options import console
from kornia_srgan.explain import explain

if TYPE_CHECKING:
    from kornia_srgan.batch.jobs import Job
    from kornia_srgan.batch.run import Outcome
    from kornia_srgan.inference.upscaler import Upscaler
    from kornia_srgan.photos.find import LeftOut


def run_with_progress(
    work: Sequence[Job], run: Callable[..., list[Outcome]], *, quiet: bool
) -> list[Outcome]:
    """Run the jobs under a progress bar on stderr: megapixels of input done, their speed, the time left.

    Args:
        work: The jobs.
        run: Runs them; takes `on_rows` and `on_outcome`, as `run_jobs` does.
        quiet: Show nothing.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    screen = console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[size]}"),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    total = sum(job.megapixels for job in work if not job.skip)
    unknown = any(job.fetch for job in work)  # a picture that lies elsewhere shows its size when it is here
    of_all = " MP" if unknown else f"/{total:.2f} MP"
    with Progress(*columns, console=screen, disable=quiet or not screen.is_terminal) as bar:
        size = f"{0:.2f}{of_all}"
        task = bar.add_task(f"0/{len(work)}", total=None if unknown else total, speed="", size=size)
        ended = 0

        def on_rows(megapixels: float) -> None:
            speed, done = bar.tasks[0].speed, bar.tasks[0].completed + megapixels
            told = f"{speed:.3g} MP/s" if speed else ""
            bar.update(task, advance=megapixels, speed=told, size=f"{done:.2f}{of_all}")

        def on_outcome(outcome: Outcome) -> None:
            nonlocal ended
            ended += 1
            bar.update(task, description=f"{ended}/{len(work)}")
            for line in [] if quiet else _lines(outcome):
                screen.print(printable(line), soft_wrap=True)

        return run(on_rows=on_rows, on_outcome=on_outcome)


def _lines(outcome: Outcome) -> list[str]:
    job = outcome.job
    if outcome.status == "failed":
        return []
    if outcome.status == "skipped":
        return [f"{job.label}: skipped, {', '.join(outcome.notes) or f'{job.target_name} exists'}"]
    speed = outcome.megapixels / outcome.seconds if outcome.seconds else 0.0
    restore = "" if outcome.restore is None else f", restore {outcome.restore:.2f}"
    done = f"{job.label} -> {job.target_name} ({outcome.seconds:.1f} s, {speed:.3g} MP/s{restore})"
    return [done, *(f"  note: {note}" for note in outcome.notes)]


def show_note(upscaler: Upscaler, quiet: bool) -> None:
    """Say on stderr what an upscaler cannot promise, as a line of its own."""
    if upscaler.note and not quiet:
        typer.echo(f"note: {upscaler.note}", err=True)


def list_failures(reasons: Sequence[str], total: int) -> None:
    """Say of every file that failed why, on stderr."""
    typer.echo(f"{len(reasons)} of {total} files failed:", err=True)
    for line in reasons:
        typer.echo(f"  {printable(line)}", err=True)


def printable(text: str) -> str:
    """One line that any screen can show: names of files may hold line breaks, or be no Unicode at all."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", "\\n")


def failure_reason(outcome: Outcome) -> str:
    """Why a job failed, in one line; empty where it did not."""
    if outcome.error is None:
        return ""
    line = explain(outcome.error)[0].removeprefix("error: ")
    return line if outcome.job.label in line else f"{outcome.job.label}: {line}"


def list_left_out(left_out: Sequence[LeftOut]) -> None:
    """Name what lies in the input folders and was left out, with the reason, on stderr."""
    for entry in left_out:
        typer.echo(f"left out: {printable(str(entry))}", err=True)


def make_report(
    outcomes: Sequence[Outcome],
    left_out: Sequence[LeftOut],
    upscaler: Upscaler,
    clips: Sequence[Mapping[str, Any]] = (),
) -> str:
    """What became of each file, as JSON."""
    files = [
        {
            "source": outcome.job.label,
            "target": outcome.job.target_name if outcome.status != "failed" else None,
            "status": outcome.status,
            "error": failure_reason(outcome) or None,
            "notes": list(outcome.notes),
            "input_size": [outcome.width, outcome.height] if outcome.width else None,
            "megapixels": round(outcome.megapixels, 6),
            "seconds": round(outcome.seconds, 3),
            "restore": outcome.restore,
        }
        for outcome in outcomes
    ]
    others = [{"path": str(entry.path), "reason": entry.reason} for entry in left_out]
    setting = {"scale": upscaler.scale, "tile": upscaler.tile, "device": str(upscaler.device)}
    document = {**setting, "files": files, **({"clips": list(clips)} if clips else {}), "left_out": others}
    text = json.dumps(document, indent=2, ensure_ascii=False)
    # Names of files may be no Unicode at all; JSON can say them as escapes.
    return (text if _is_unicode(text) else json.dumps(document, indent=2)) + "\n"


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True

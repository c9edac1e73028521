"""The clips of `kornia-srgan upscale`: which inputs they are, where results go, what is shown."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kornia_srgan.cli.options import console
from kornia_srgan.cli.upscale_view import printable
from kornia_srgan.explain import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kornia_srgan.batch.crew import Crew
    from kornia_srgan.batch.naming import Naming
    from kornia_srgan.batch.share import Share
    from kornia_srgan.inference.picture import Enlarger
    from kornia_srgan.photos.formats import WriteOptions
    from kornia_srgan.video.clip import Clip
    from kornia_srgan.video.options import VideoOptions
    from kornia_srgan.video.run import ClipOutcome, ClipProgress, Run

STREAM = "-"
_KEEPS_ITS_CONTAINER = {".mp4": ".mp4", ".m4v": ".mp4", ".mov": ".mov", ".qt": ".mov"}
_ANY_CONTAINER = ".mkv"


@dataclass(frozen=True)
class ClipResult:
    """What became of a clip: an outcome, or an error."""

    label: str
    target: str
    outcome: ClipOutcome | None = None
    error: Exception | None = None

    def report(self) -> dict[str, Any]:
        """For the JSON report."""
        done = self.outcome
        status = "failed" if done is None else "skipped" if done.skipped else "done"
        told: dict[str, Any] = {"source": self.label, "target": self.target, "status": status}
        if self.error is not None:
            told["error"] = self.reason
        if done is not None and done.clip is not None:
            told |= {
                "input_size": [done.clip.width, done.clip.height],
                "size": [done.size[1], done.size[0]],
                "frames": done.frames,
                "computed": done.computed,
                "seconds": round(done.seconds, 3),
                "restore": done.restore,
                "notes": list(done.notes),
            }
        return told

    @property
    def reason(self) -> str:
        """Why it failed, in one line."""
        if self.error is None:
            return ""
        line = explain(self.error)[0].removeprefix("error: ")
        return line if self.label in line else f"{self.label}: {line}"


def split_clips(inputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """The inputs that are clips, patterns replaced by what they mean, and the others.

    Standard input is a clip where it begins as y4m does.
    """
    from kornia_srgan.video.options import Y4M_SIGNATURE, is_clip

    clips: list[str] = []
    others: list[str] = []
    for text in inputs:
        if text == STREAM:
            y4m = len(inputs) == 1 and _first_bytes(len(Y4M_SIGNATURE)) == Y4M_SIGNATURE
            (clips if y4m else others).append(text)
        elif not is_clip(text) or Path(text).is_dir():
            others.append(text)
        elif glob.has_magic(text) and not Path(text).exists():
            clips += sorted(glob.glob(text, recursive=True)) or [text]
        else:
            clips.append(text)
    if clips:
        from kornia_srgan.environment import require_extra

        require_extra("video", "av", purpose="a video")
    return list(dict.fromkeys(clips)), others


def _first_bytes(count: int) -> bytes:
    import io
    import sys

    stdin = sys.stdin.buffer
    return stdin.peek(count)[:count] if isinstance(stdin, io.BufferedReader) else b""


def clips_in_folders(inputs: Sequence[str], *, recursive: bool) -> list[Any]:
    """Clips that lie in input folders: named as left out, because hours of work should be asked for."""
    from kornia_srgan.photos.find import LeftOut, find_files
    from kornia_srgan.video.options import VIDEO_SUFFIXES

    def is_clip(path: Path) -> bool:
        return path.suffix.lower() in VIDEO_SUFFIXES - {".ts"}  # also the suffix of TypeScript

    folders = filter(Path.is_dir, map(Path, inputs))
    found = [
        path
        for folder in folders
        for path in find_files(folder, is_clip, recursive=recursive, results=True).files
    ]
    return [LeftOut(path, "a video: give it by name to enlarge it") for path in found]


def enlarge_clips(
    clips: Sequence[str],
    output: Path,
    enlarger: Enlarger,
    naming: Naming,
    options: VideoOptions,
    *,
    container: str | None,
    identity: Mapping[str, str],
    write: WriteOptions,
    share: Share,
    crew: Crew | None,
    max_pixels: int,
    quiet: bool,
) -> list[ClipResult]:
    """Enlarge clips one after the other; one that fails does not stop the rest."""
    from contextlib import nullcontext
    from functools import partial

    from kornia_srgan.batch.claims import claimed
    from kornia_srgan.batch.segments import run_shared
    from kornia_srgan.photos.outputs import mark_results
    from kornia_srgan.video.options import is_sequence
    from kornia_srgan.video.run import run_pipe

    targets = clip_targets(clips, output, naming, container)
    if share.claims:  # what another process made is kept, and what it left is gone on with
        options = replace(options, existing="skip", resume=True if options.resume is None else options.resume)
    if str(output) != STREAM:
        mark_results(target for target in targets if not is_sequence(target))  # those mark themselves
    results = []
    for text, target in share.of(list(zip(clips, targets, strict=True))):
        label = "stdin" if text == STREAM else text
        try:
            with claimed(target) if share.claims and str(target) != STREAM else nullcontext("") as other:
                outcome = _enlarge(
                    text,
                    target,
                    label,
                    enlarger,
                    options,
                    identity,
                    write,
                    other=other,
                    run=run_pipe if crew is None else partial(run_shared, crew),
                    max_pixels=max_pixels,
                    quiet=quiet,
                )
            results.append(ClipResult(label, str(target), outcome))
        except Exception as error:
            results.append(ClipResult(label, str(target), error=error))
    return results


def clip_targets(clips: Sequence[str], output: Path, naming: Naming, container: str | None) -> list[Path]:
    """Where each clip's result goes.

    Raises:
        UserError: If several would go to one file, or the container is none.
    """
    from kornia_srgan.batch.naming import numbered_apart
    from kornia_srgan.errors import UserError
    from kornia_srgan.video.options import VIDEO_SUFFIXES, is_sequence

    suffix = None if container is None else f".{container.lower().removeprefix('.')}"
    if suffix is not None and suffix not in VIDEO_SUFFIXES:
        raise UserError(
            f"'{container}' is not a container; use mp4, mov, mkv, webm or avi", where="container"
        )
    single = str(output) == STREAM or is_sequence(output) or (bool(output.suffix) and not output.is_dir())
    if single and len(clips) > 1:
        raise UserError(
            f"'{output}' is one result, and there are {len(clips)} clips; give a folder", where=output
        )
    if single:
        if suffix is not None and output.suffix.lower() != suffix:
            raise UserError(
                f"'{output}' contradicts --container {container}; leave one of them out", where=output
            )
        return [output]
    targets = []
    for text in clips:
        path = Path(text)
        stem = Path(path.parent.name or "frames") if is_sequence(path) else path
        own = ".mp4" if is_sequence(path) else _KEEPS_ITS_CONTAINER.get(path.suffix.lower(), _ANY_CONTAINER)
        targets.append(output / (naming.stem(stem) + (suffix or own)))
    return numbered_apart(targets)


def _enlarge(
    text: str,
    target: Path,
    label: str,
    enlarger: Enlarger,
    options: VideoOptions,
    identity: Mapping[str, str],
    write: WriteOptions,
    *,
    other: str,
    run: Run,
    max_pixels: int,
    quiet: bool,
) -> ClipOutcome:
    import sys

    from kornia_srgan.batch.segments import why_alone
    from kornia_srgan.errors import ImageError
    from kornia_srgan.video.run import ClipOutcome, enlarge_clip, run_pipe

    screen = console(stderr=True)

    def say(line: str) -> None:
        if not quiet:
            screen.print(printable(line), soft_wrap=True)

    def begins(clip: Clip, tuned: Enlarger, size: tuple[int, int]) -> None:
        if clip.width * clip.height > max_pixels:
            raise ImageError(
                f"'{label}' has frames of {clip.width}x{clip.height}: more than --max-pixels", where=label
            )
        about = f", about {clip.frames} frames" if clip.frames else ""
        dial = "" if tuned.restore is None else f"; restore {tuned.restore:.2f} for the whole clip"
        say(
            f"{label}: {clip.width}x{clip.height} at {float(clip.rate):.5g} frames/s{about} "
            f"-> {size[1]}x{size[0]}{dial}"
        )

    if other:
        say(f"{label}: skipped, {other} is at it")
        return ClipOutcome(None, target, notes=(f"{other} is at it",), skipped=True)
    with _bar(screen, quiet) as on_frame:
        try:
            outcome = enlarge_clip(
                sys.stdin.buffer if text == STREAM else text,
                sys.stdout.buffer if str(target) == STREAM else target,
                enlarger,
                replace(options, resume=False) if text == STREAM else options,
                label=label,
                identity=identity,
                write=write,
                on_start=begins,
                on_frame=on_frame,
                run=run,
            )
        except KeyboardInterrupt:
            _say_how_to_go_on(target)
            raise
    if run is not run_pipe and not outcome.skipped:
        alone = why_alone(
            text if text != STREAM else None, target if str(target) != STREAM else None, options
        )
        outcome = replace(outcome, notes=(*outcome.notes, alone) if alone else outcome.notes)
    for line in _lines(label, target, outcome):
        say(line)
    return outcome


def _lines(label: str, target: Path, outcome: ClipOutcome) -> list[str]:
    if outcome.skipped:
        return [f"{label}: skipped, {target} exists"]
    speed = outcome.computed / outcome.seconds if outcome.seconds else 0.0
    repeated = "" if outcome.computed >= outcome.frames else f", {outcome.computed} of them computed now"
    counts = f"{outcome.frames} frames{repeated}, {outcome.seconds:.1f} s, {speed:.3g} frames/s"
    done = f"{label} -> {target} ({counts})"
    return [done, *(f"  note: {note}" for note in outcome.notes)]


def _say_how_to_go_on(target: Path) -> None:
    from kornia_srgan.video.options import is_sequence
    from kornia_srgan.video.segments import parts_folder

    if str(target) != STREAM and (is_sequence(target) or any(parts_folder(target).glob("[0-9]*.segment"))):
        typer.echo("stopped; the finished part is kept; continue with --resume", err=True)


@contextmanager
def _bar(screen: Any, quiet: bool) -> Iterator[Callable[[ClipProgress], None]]:
    """A progress bar on stderr: frames, their speed, the time left."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.fields[of]} frames"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[speed]}"),
    )
    with Progress(*columns, console=screen, disable=quiet or not screen.is_terminal) as bar:
        task = bar.add_task("", total=None, of="?", speed="")

        def on_frame(progress: Any) -> None:
            now = (progress.done - progress.begun) / progress.seconds if progress.seconds else 0.0
            speed = f"{now:.3g} frames/s" if now else ""
            if now and progress.total:
                speed += f", {_clock((progress.total - progress.done) / now)} left"
            total = progress.total or None  # not known, it pulses
            bar.update(task, completed=progress.done, total=total, of=total or "?", speed=speed)

        yield on_frame


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"

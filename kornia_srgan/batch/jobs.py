"""Plans where each result is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kornia_srgan.batch.naming import Naming, numbered_apart, same_place, shared_places
from kornia_srgan.batch.sources import Source
from kornia_srgan.errors import UserError
from kornia_srgan.photos.formats import FORMATS, Format, default_format, format_of
from kornia_srgan.photos.header import peek_header
from kornia_srgan.rasters.read import NUMPY

Existing = Literal["overwrite", "skip"]

_SUFFIXES = {suffix: form for form in FORMATS.values() for suffix in form.suffixes}


@dataclass(frozen=True)
class Job:
    """One file in, one file out.

    Attributes:
        source: The file, or its bytes.
        target: The file to write.
        form: Its format.
        label: The source in messages.
        megapixels: Of the source, by its header; 0 if it cannot be read.
        skip: The result exists and must be kept.
        target_label: What to call the target in messages, where that is not its path.
        notes: Notes about the target, one sentence each.
        problem: Why the job cannot run; empty otherwise.
        fetch: Where to fetch the source from; empty if it is here.
        deliver: Where to take the result to; empty if it stays here.
        claim: Claim the result before the work; if another process has it or made it, leave it.
    """

    source: Path | bytes
    target: Path
    form: Format
    label: str
    megapixels: float = 0.0
    skip: bool = False
    target_label: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""
    fetch: str = ""
    deliver: str = ""
    claim: bool = False

    @property
    def target_name(self) -> str:
        """The target in messages."""
        return self.target_label or str(self.target)


def plan_jobs(
    sources: Sequence[Source],
    output: Path,
    naming: Naming,
    *,
    form: Format | None = None,
    existing: Existing = "overwrite",
) -> list[Job]:
    """Plan where each result is written.

    Results with the same name get the suffix of their photograph, or a number. A result that would overwrite
    another photograph becomes a job with a problem.

    Args:
        sources: From `find_sources`.
        output: A folder; or a file, if there is one source and the name has a picture's suffix.
        naming: Names results in a folder.
        form: The format of all results; by default a lossless one.
        existing: What to do if the result exists.

    Raises:
        UserError: If the pattern is wrong or the same for all, the output contradicts the format or the
            number of pictures, or a result would overwrite its own photograph.
    """
    if is_file_output(sources, output):
        jobs = [_file_job(sources[0], output, form)]
    else:
        _check_folder(sources, output)
        jobs = _kept_apart([_folder_job(s, output, naming, form) for s in sources], sources, naming)
    jobs = _without_overwriting(jobs)
    return [replace(job, skip=existing == "skip" and job.target.is_file()) for job in jobs]


def is_file_output(sources: Sequence[Source], output: Path) -> bool:
    """Whether the output is a file and not a folder."""
    return len(sources) == 1 and not output.is_dir() and bool(output.suffix)


def _check_folder(sources: Sequence[Source], output: Path) -> None:
    named_as_file = output.suffix.lower() in _SUFFIXES or output.is_file()
    if len(sources) > 1 and named_as_file and not output.is_dir():
        raise UserError(
            f"'{output}' is one file, and there are {len(sources)} pictures; give a folder", where=output
        )


def _file_job(source: Source, output: Path, form: Format | None) -> Job:
    by_name = _SUFFIXES.get(output.suffix.lower())
    if form is not None and by_name is not None and by_name is not form:
        raise UserError(
            f"'{output}' is the name of a {by_name.name} file, and the format is to be {form.name}; "
            f"leave out --format, or name it '{output.with_suffix(form.suffixes[0])}'",
            where=output,
        )
    header = peek_header(source.content)
    size = header.megapixels if header else 0.0
    return Job(source.content, output, form or format_of(output), source.label, size, fetch=source.address)


def _folder_job(source: Source, output: Path, naming: Naming, form: Format | None) -> Job:
    header = peek_header(source.content)
    form = form or (default_format(header) if header else FORMATS["PNG"])
    array = source.path.suffix.lower() == NUMPY
    target = output / source.below / (naming.stem(source.path) + (NUMPY if array else form.suffixes[0]))
    size = header.megapixels if header else 0.0
    return Job(source.content, target, form, source.label, size, fetch=source.address)


def _kept_apart(jobs: list[Job], sources: Sequence[Source], naming: Naming) -> list[Job]:
    """The jobs with distinct targets."""
    shared = shared_places(job.target for job in jobs)
    if not shared:
        return jobs
    if "{stem" not in naming.pattern:
        raise UserError(
            f"name pattern '{naming.pattern}' gives several results one name; put {{stem}} into it",
            where="name",
        )
    targets = []
    for job, source in zip(jobs, sources, strict=True):
        name = naming.stem(source.path, with_suffix=True) + job.target.suffix
        targets.append(job.target.with_name(name) if same_place(job.target) in shared else job.target)
    others = ("another picture has the same name, so this result is named after its suffix or numbered",)
    return [
        job if target == job.target else replace(job, target=target, notes=others)
        for job, target in zip(jobs, numbered_apart(targets), strict=True)
    ]


def _without_overwriting(jobs: list[Job]) -> list[Job]:
    """The jobs, with a problem for those that would overwrite a photograph."""
    inputs = {os.path.realpath(job.source): job for job in jobs if isinstance(job.source, Path)}
    checked = []
    for job in jobs:
        other = inputs.get(os.path.realpath(job.target))
        if other is job:
            raise UserError(
                f"'{job.target}' is one of the inputs and would be overwritten; choose another -o",
                where=job.target,
            )
        problem = (
            (
                f"the result of '{job.label}' would overwrite '{other.label}', which is an input too; "
                "choose another -o or --name"
            )
            if other is not None
            else ""
        )
        checked.append(replace(job, problem=problem))
    return checked

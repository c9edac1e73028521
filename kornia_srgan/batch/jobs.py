"""Which files are read, and where each result goes."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kornia_srgan.errors import DataError, DataNotFoundError, UserError
from kornia_srgan.photos.find import Found, LeftOut, find_files, find_matches, in_words, pattern_base
from kornia_srgan.photos.formats import FORMATS, Format, default_format, format_of
from kornia_srgan.photos.header import peek

Existing = Literal["overwrite", "skip"]

_FIELDS = "{stem}, {ext}, {scale}"


@dataclass(frozen=True)
class Source:
    """A file to enlarge.

    Attributes:
        path: The file; only a name where the bytes are given.
        below: Its folder below the one that was named.
        data: Its bytes, where it is no file (standard input).
    """

    path: Path
    below: Path = Path()
    data: bytes | None = None

    @property
    def content(self) -> Path | bytes:
        """What is read: the path, or the bytes where they are here already."""
        return self.path if self.data is None else self.data


@dataclass(frozen=True)
class Job:
    """One file in, one file out.

    Attributes:
        source: The file, or its bytes.
        target: The file to write.
        form: Its format.
        label: What to call the source in messages.
        megapixels: Of the source, as its header says; 0 where it cannot be read.
        skip: The result is there already and is to be left alone.
        target_label: What to call the target in messages, where that is not its path.
    """

    source: Path | bytes
    target: Path
    form: Format
    label: str
    megapixels: float = 0.0
    skip: bool = False
    target_label: str = ""

    @property
    def target_name(self) -> str:
        """What to call the target in messages."""
        return self.target_label or str(self.target)


@dataclass(frozen=True)
class Sources:
    """The files that are meant, and what looks like one in their folders and is left out."""

    files: tuple[Source, ...]
    left_out: tuple[LeftOut, ...] = ()


def find_sources(inputs: Iterable[str], *, recursive: bool = True) -> Sources:
    """The files that are meant: files, folders (searched for pictures) and glob patterns, sorted.

    A folder that was reached already (a loop of symbolic links) is not entered again. Results of earlier runs
    and the folders of training runs are left out; a file named on its own is taken whatever it is.

    Raises:
        DataError: If something is not there, or a folder holds no picture.
    """
    sources: list[Source] = []
    left_out: list[LeftOut] = []
    for text in inputs:
        path = expanded(text)
        if not path.is_dir() and os.path.lexists(path):
            sources.append(Source(path))
            continue
        base, found = _search(text, path, recursive)
        if not found.files:
            more = f"; left out: {in_words(found.left_out)}" if found.left_out else ""
            if not path.is_dir() and not found.left_out:
                raise DataNotFoundError(f"no such file or folder: '{text}'", where=text)
            what = "no picture in folder" if path.is_dir() else "no picture among"
            raise DataError(f"{what} '{text}'{more}", where=text)
        sources += [Source(file, file.parent.relative_to(base)) for file in found.files]
        left_out += found.left_out
    return Sources(tuple(sources), tuple(left_out))


def expanded(text: str | Path) -> Path:
    """A path with `~` as the home folder, unless a file has that very name, as in `~backup.jpg`."""
    path = Path(text)
    if os.path.lexists(path):
        return path
    try:
        return path.expanduser()
    except RuntimeError:  # there is no such user
        return path


def _search(text: str, path: Path, recursive: bool) -> tuple[Path, Found]:
    """What a folder or a pattern means, and the folder below which the tree is kept."""
    if path.is_dir():
        return path, find_files(path, recursive=recursive, broken_links=True)
    if glob.has_magic(text):
        return pattern_base(path), find_matches(path, lambda _: True, broken_links=True)
    return path, Found(())


def plan(
    sources: Sequence[Source],
    output: Path,
    *,
    scale: float,
    pattern: str = "{stem}_x{scale}",
    form: Format | None = None,
    existing: Existing = "overwrite",
) -> list[Job]:
    """Where each result goes.

    Args:
        sources: From `find_sources`.
        output: A folder; or a file, where there is one source and the name has a picture's suffix.
        scale: For the pattern.
        pattern: Names results in a folder.
        form: The format of all; by default the one that loses nothing.
        existing: What to do where the result's file is there already.

    Raises:
        UserError: If the pattern is wrong, two results would be one file, or a source would be overwritten.
    """
    single = is_file_output(sources, output)
    jobs = [
        _file_job(sources[0], output, form) if single else _folder_job(source, output, scale, pattern, form)
        for source in sources
    ]
    _check_collisions(jobs)
    return [_with_existing(job, existing) for job in jobs]


def is_file_output(sources: Sequence[Source], output: Path) -> bool:
    """Whether the output names a file and not the folder of results."""
    return len(sources) == 1 and not output.is_dir() and bool(output.suffix)


def _file_job(source: Source, output: Path, form: Format | None) -> Job:
    header = peek(source.content)
    size = header.megapixels if header else 0.0
    return Job(source.content, output, form or format_of(output), str(source.path), size)


def _folder_job(source: Source, output: Path, scale: float, pattern: str, form: Format | None) -> Job:
    header = peek(source.content)
    form = form or (default_format(header) if header else FORMATS["PNG"])
    name = named(source.path, scale, pattern) + form.suffixes[0]
    target = output / source.below / name
    return Job(source.content, target, form, str(source.path), header.megapixels if header else 0.0)


def named(source: Path, scale: float, pattern: str) -> str:
    """A result's name without its suffix.

    Raises:
        UserError: If the pattern has a field that does not exist or leads out of the folder.
    """
    try:
        name = pattern.format(stem=source.stem, ext=source.suffix.lstrip("."), scale=f"{scale:g}")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UserError(f"name pattern '{pattern}' is wrong ({error}); fields: {_FIELDS}") from error
    if not name or "/" in name or os.sep in name:
        raise UserError(f"name pattern '{pattern}' must make a file name, without folders")
    return name


def _check_collisions(jobs: list[Job]) -> None:
    taken: dict[str, Job] = {}
    for job in jobs:
        key = str(job.target.absolute())
        other = taken.setdefault(key, job)
        if other is not job:
            raise UserError(
                f"'{other.label}' and '{job.label}' would both become '{job.target}'; "
                "use --name '{stem}_{ext}_x{scale}'"
            )
    sources = {os.path.realpath(job.source) for job in jobs if isinstance(job.source, Path)}
    for job in jobs:
        if os.path.realpath(job.target) in sources:
            raise UserError(
                f"'{job.target}' is one of the inputs and would be overwritten; choose another -o"
            )


def _with_existing(job: Job, existing: Existing) -> Job:
    return replace(job, skip=existing == "skip" and job.target.is_file())

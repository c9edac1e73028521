"""Which files are read, and where each result goes."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kornia_srgan.errors import DataError, UserError
from kornia_srgan.photos.formats import FORMATS, Format, default_format, format_of
from kornia_srgan.photos.header import peek

Existing = Literal["overwrite", "skip"]

# What a folder is searched for. A file named on its own is tried whatever its name.
_SUFFIXES = {s for f in FORMATS.values() for s in f.suffixes} | {
    ".dib", ".ico", ".jp2", ".j2k", ".pbm", ".pgm", ".ppm", ".pnm", ".pcx", ".tga", ".qoi", ".psd", ".dds"
}  # fmt: skip
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


def find_sources(inputs: Iterable[str], *, recursive: bool = True) -> list[Source]:
    """The files that are meant: files, folders (searched for pictures) and glob patterns, sorted.

    A folder that was reached already (a loop of symbolic links) is not entered again.

    Raises:
        DataError: If something is not there, or a folder holds no picture.
    """
    found: list[Source] = []
    for text in inputs:
        path = Path(text).expanduser()
        if path.is_dir():
            inside = sorted(_walk(path, recursive), key=lambda s: str(s.path))
            if not inside:
                raise DataError(f"no picture in folder '{text}'")
            found += inside
        elif os.path.lexists(path):
            found.append(Source(path))
        else:
            matches = list(_matches(path)) if glob.has_magic(text) else []
            if not matches:
                raise DataError(f"no such file or folder: '{text}'")
            found += matches
    return found


def _matches(pattern: Path) -> Iterator[Source]:
    """The files that a pattern means, below the last folder without a wildcard; each once."""
    plain = next(p for p in pattern.parents if not glob.has_magic(str(p)))
    seen: set[tuple[str, str]] = set()
    paths = [Path(m) for m in glob.glob(str(pattern), recursive=True)]
    for path in sorted(paths, key=lambda p: (len(p.parts), str(p))):
        place = (os.path.realpath(path.parent), path.name)
        if place not in seen and _may_be_picture(path):
            seen.add(place)
            yield Source(path, path.parent.relative_to(plain))


def _walk(root: Path, recursive: bool) -> Iterator[Source]:
    entered: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:
            folders.clear()
            continue
        entered.add(real)
        if not recursive:
            folders.clear()
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in names:
            known = Path(name).suffix.lower() in _SUFFIXES and not name.startswith(".")
            if known and _may_be_picture(Path(folder, name)):
                yield Source(Path(folder, name), Path(folder).relative_to(root))


def _may_be_picture(path: Path) -> bool:
    """A file, or a link to nowhere, which is to be reported; no pipe, that would never end."""
    return path.is_file() or not path.exists()


def plan(
    sources: list[Source],
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
    single = len(sources) == 1 and not output.is_dir() and bool(output.suffix)
    jobs = [
        _file_job(sources[0], output, form) if single else _folder_job(source, output, scale, pattern, form)
        for source in sources
    ]
    _check_collisions(jobs)
    return [_with_existing(job, existing) for job in jobs]


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

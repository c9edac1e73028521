"""Which files are meant: files, folders, patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kornia_srgan.errors import DataError, DataNotFoundError
from kornia_srgan.photos.find import Found, LeftOut, find_files, find_matches, in_words, pattern_base


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
    sources: dict[str, Source] = {}  # a file that is named twice is enlarged once
    left_out: dict[LeftOut, None] = {}
    for text in inputs:
        path = Path(text)
        if not path.is_dir() and os.path.lexists(path):
            sources.setdefault(os.path.abspath(path), Source(path))
            continue
        base, found = _search(text, path, recursive)
        if not found.files:
            more = f"; left out: {in_words(found.left_out)}" if found.left_out else ""
            if not path.is_dir() and not found.left_out:
                raise DataNotFoundError(f"no such file or folder: '{text}'", where=text)
            what = "no picture in folder" if path.is_dir() else "no picture among"
            raise DataError(f"{what} '{text}'{more}", where=text)
        for file in found.files:
            sources.setdefault(os.path.abspath(file), Source(file, file.parent.relative_to(base)))
        left_out |= dict.fromkeys(found.left_out)
    return Sources(tuple(sources.values()), tuple(left_out))


def _search(text: str, path: Path, recursive: bool) -> tuple[Path, Found]:
    """What a folder or a pattern means, and the folder below which the tree is kept."""
    if path.is_dir():
        return path, find_files(path, recursive=recursive, broken_links=True)
    if glob.has_magic(text):
        return pattern_base(path), find_matches(path, lambda _: True, broken_links=True)
    return path, Found(())

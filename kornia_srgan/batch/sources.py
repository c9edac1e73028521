"""Finds input files from files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kornia_srgan.batch.elsewhere import file_name, find_elsewhere, public_address
from kornia_srgan.errors import DataError, DataNotFoundError
from kornia_srgan.network import is_address
from kornia_srgan.photos.find import (
    Found,
    LeftOut,
    find_files,
    find_matches,
    list_left_out,
    looks_like_picture,
    pattern_base,
)
from kornia_srgan.rasters.read import NUMPY


@dataclass(frozen=True)
class Source:
    """A file to enlarge.

    Attributes:
        path: The file, or only a name if `data` is given.
        below: Its folder, relative to the input folder.
        data: Its bytes, if it is not a file (standard input).
        address: Where it is, if it is not here.
    """

    path: Path
    below: Path = Path()
    data: bytes | None = None
    address: str = ""

    @property
    def content(self) -> Path | bytes:
        """The path to read, or the bytes; none of what is not here."""
        if self.address:
            return b""
        return self.path if self.data is None else self.data

    @property
    def label(self) -> str:
        """The file in messages."""
        return public_address(self.address) if self.address else str(self.path)


@dataclass(frozen=True)
class Sources:
    """The input files, and the files in their folders that are skipped."""

    files: tuple[Source, ...]
    left_out: tuple[LeftOut, ...] = ()


def find_sources(inputs: Iterable[str], *, recursive: bool = True, arrays: bool = False) -> Sources:
    """Find the input files from files, folders (searched for pictures), glob patterns and addresses, sorted.

    Each folder is entered once, even with cycles of symbolic links. Results of earlier runs and folders of
    training runs are skipped. A file that is named explicitly is always used.

    Args:
        inputs: Files, folders and patterns.
        recursive: Search subfolders.
        arrays: `.npy` files in folders count too.

    Raises:
        DataError: If an input does not exist, or a folder has no picture.
    """
    sources: dict[str, Source] = {}  # a file that is named twice is enlarged once
    left_out: dict[LeftOut, None] = {}
    for text in inputs:
        path = Path(text)
        if not path.is_dir() and os.path.lexists(path):
            if os.path.abspath(path) not in sources:
                sources[os.path.abspath(path)] = _named(path)
            continue
        if is_address(text):
            listed = find_elsewhere(text, recursive=recursive)
            for address, below in listed.files:
                sources.setdefault(address, _elsewhere(address, below))
            left_out |= dict.fromkeys(listed.left_out)
            continue
        base, found = _search(text, path, recursive, arrays)
        if not found.files:
            more = f"; left out: {list_left_out(found.left_out)}" if found.left_out else ""
            if not path.is_dir() and not found.left_out:
                raise DataNotFoundError(f"no such file or folder: '{text}'", where=text)
            what = "no picture in folder" if path.is_dir() else "no picture among"
            raise DataError(f"{what} '{text}'{more}", where=text)
        for file in found.files:
            sources.setdefault(os.path.abspath(file), Source(file, file.parent.relative_to(base)))
        left_out |= dict.fromkeys(found.left_out)
    return Sources(tuple(sources.values()), tuple(left_out))


def _elsewhere(address: str, below: Path) -> Source:
    return Source(Path(file_name(address)), below, address=address)


def _named(path: Path) -> Source:
    """A file that was named; a pipe is read at once, because it can be read only once."""
    if path.is_fifo():
        return Source(path, data=path.read_bytes())
    if path.exists() and not path.is_file():
        raise DataError(f"'{path}' is a device or a socket, not a picture", where=str(path))
    return Source(path)


def _search(text: str, path: Path, recursive: bool, arrays: bool) -> tuple[Path, Found]:
    """The files of a folder or pattern, and the folder that the output tree is relative to."""
    if path.is_dir():
        wanted = _picture_or_array if arrays else looks_like_picture
        return path, find_files(path, wanted, recursive=recursive, broken_links=True)
    if glob.has_magic(text):
        return pattern_base(path), find_matches(path, lambda _: True, broken_links=True)
    return path, Found(())


def _picture_or_array(path: Path) -> bool:
    return path.suffix.lower() == NUMPY or looks_like_picture(path)

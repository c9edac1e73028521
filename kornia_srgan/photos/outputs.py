"""Recognising what this package itself wrote into folders, so that it is not taken for photographs again.

A folder of results holds a small text file, `.kornia-srgan-output`, that names them, one JSON string a line;
a line `*` means all that is in the folder. The folder of a training run is known by the files in it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = ".kornia-srgan-output"
_HEAD = "# Written by kornia-srgan: results that are left out when this folder is searched for photographs.\n"
_ALL = "*"
_RUN_FILES = ("config.yaml", "environment.json")  # both are there before the first step
_RUN_PICTURES = frozenset({"losses.png", "validation", "checkpoints"})


@dataclass(frozen=True)
class Written:
    """What this package wrote into a folder.

    Attributes:
        kind: What it is, for messages; empty where there is nothing.
        whole: The whole folder is of that kind.
        names: Files and folders in it that are.
    """

    kind: str = ""
    whole: bool = False
    names: frozenset[str] = frozenset()


def written_in(folder: Path) -> Written:
    """What this package wrote into a folder; a mark that cannot be read counts as none."""
    if all(os.path.isfile(folder / name) for name in _RUN_FILES):  # False too where it may not be looked at
        return Written("a training run", True, _RUN_PICTURES)
    try:
        lines = (folder / MARK).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return Written()
    return Written("results of an earlier run", _ALL in lines, frozenset(_names(lines)))


def _names(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        with contextlib.suppress(ValueError):
            name = json.loads(line)
            if isinstance(name, str):
                yield name


def mark_results(files: Iterable[Path]) -> None:
    """Note in each file's folder that it is a result; folders are made if need be.

    Before the files are written, so that those of a run that is broken off are known as well. Where a folder
    cannot be written, nothing is noted: writing the results says so.
    """
    by_folder: dict[Path, set[str]] = {}
    for file in files:
        by_folder.setdefault(file.parent, set()).add(file.name)
    for folder, names in by_folder.items():
        new = sorted(names - written_in(folder).names)
        _append(folder, [json.dumps(name) for name in new])


def mark_folder(folder: Path) -> None:
    """Note that all in a folder is a result; see `mark_results`."""
    if not written_in(folder).whole:
        _append(folder, [_ALL])


def mark_if_new(folder: Path) -> bool:
    """Note that all in a folder is a result if it is empty; returns whether that is noted, now or before."""
    if not (folder.is_dir() and any(folder.iterdir())):
        mark_folder(folder)
    return written_in(folder).whole


def _append(folder: Path, lines: list[str]) -> None:
    if not lines:
        return
    mark = folder / MARK
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        head = "" if mark.exists() else _HEAD
        with mark.open(
            "a", encoding="utf-8", errors="surrogateescape"
        ) as file:  # two runs at once both add theirs
            file.write(head + "".join(f"{line}\n" for line in lines))

"""Finds picture files in folders, by their names or first bytes."""

from __future__ import annotations

import errno
import glob
import mimetypes
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import Image

from kornia_srgan.photos.outputs import Written, written_in
from kornia_srgan.photos.signature import SIGNATURE_BYTES, kind_of

CAMERA_RAW = frozenset({
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos",
    ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
})  # fmt: skip
_OTHER = frozenset({
    ".heic", ".heif", ".hif", ".avci", ".jxl", ".jxr", ".wdp", ".hdp", ".psb", ".mpo", ".jps", ".exr", ".hdr",
    ".xcf", ".kra", ".bpg", ".flif", ".btf", ".tf8", ".ptif",
})  # fmt: skip
_DRAWINGS = frozenset({".svg", ".svgz", ".eps", ".ai", ".wmf", ".emf", ".cdr"})
# Registered in Pillow but no pictures of pixels: documents, drawings, video, captions and containers of data.
_NO_PICTURES = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "PDF", "WMF"})

_SPECIAL = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class LeftOut:
    """Something in a folder that is no input, with the reason."""

    path: Path | str
    reason: str

    def __str__(self) -> str:
        return f"{self.path} ({self.reason})"


@dataclass(frozen=True)
class Found:
    """Files, and what looks like one and is left out."""

    files: tuple[Path, ...]
    left_out: tuple[LeftOut, ...] = ()


@cache
def picture_suffixes() -> frozenset[str]:
    """Suffixes, in lower case, by which a file counts as a picture, whether or not it can be decoded here."""
    registered = Image.registered_extensions()  # imports all of Pillow's plug-ins
    decoded = {s for s, f in registered.items() if f in Image.OPEN and f not in _NO_PICTURES}
    return frozenset(decoded) | CAMERA_RAW | _OTHER


def looks_like_picture(path: Path) -> bool:
    """Whether a file counts as a picture: by its suffix, or by its first bytes where that says nothing."""
    return path.suffix.lower() in picture_suffixes() or (_may_be_picture(path) and _begins_like_picture(path))


def _may_be_picture(path: Path, unknown: str = "image/unknown") -> bool:
    kind = mimetypes.guess_type(path.name, strict=False)[0] or unknown
    return kind.startswith("image/") and path.suffix.lower() not in _DRAWINGS


def _begins_like_picture(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe would never end
            return False
        with path.open("rb") as file:
            return kind_of(file.read(SIGNATURE_BYTES)) is not None
    except OSError:
        return False


def find_files(
    root: Path,
    wanted: Callable[[Path], bool] = looks_like_picture,
    *,
    recursive: bool = True,
    broken_links: bool = False,
    results: bool = False,
) -> Found:
    """The wanted files in a folder and the folders in it, in the order of their relative paths.

    Hidden files and folders are passed over. Symbolic links are followed; a folder is entered once. The
    folders of training runs and results of this package (see `outputs`) are left out and named; where nothing
    else is in the folder, its results are what is meant.

    Args:
        root: The folder.
        wanted: Chooses by path.
        recursive: Enter the folders in it.
        broken_links: Links to nowhere count as files, so that reading them says what is wrong.
        results: Results count as files.
    """
    search = _Search(root, wanted, recursive, broken_links, results)
    search.walk()
    return search.found()


def find_matches(
    pattern: Path, wanted: Callable[[Path], bool] = looks_like_picture, *, broken_links: bool = False
) -> Found:
    """`find_files` for a pattern like `photos/**/*.png`: each file that it means once."""
    base = pattern_base(pattern)
    paths = [Path(m) for m in glob.glob(str(pattern), recursive=True)]
    search = _Search(base, wanted, True, broken_links, False)
    seen: set[tuple[str, str]] = set()
    for path in sorted(paths, key=lambda p: (len(p.parts), str(p))):
        place = (os.path.realpath(path.parent), path.name)
        if place not in seen and not path.is_dir():
            seen.add(place)
            own = search.outermost_own(path)
            search.take(path) if own is None else search.leave_folder(own)
    return search.found()


def is_output_folder(folder: Path) -> bool:
    """Whether a folder is of a training run, or holds nothing but results of this package."""
    written = written_in(folder)
    if written.whole or not written.names:
        return written.whole
    return all(p.name in written.names for p in folder.iterdir() if looks_like_picture(p))


def pattern_base(pattern: Path) -> Path:
    """The last folder of a pattern before its first wildcard."""
    return next(p for p in pattern.parents if not glob.has_magic(str(p)))


@dataclass
class _Search:
    """Sorts what is met into files, results and what is left out."""

    root: Path
    wanted: Callable[[Path], bool]
    recursive: bool
    broken_links: bool
    results: bool
    files: list[Path] = field(default_factory=list)
    own: list[Path] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    _written: dict[Path, Written] = field(default_factory=dict)

    def walk(self) -> None:
        entered: set[str] = set()
        for name, folders, files in os.walk(self.root, followlinks=True, onerror=self._unreadable):
            folder, real = Path(name), os.path.realpath(name)
            if real in entered:
                folders.clear()
                continue
            entered.add(real)
            inner = [folder / f for f in sorted(folders) if not f.startswith(".")] if self.recursive else []
            folders[:] = [f.name for f in inner if self._enters(f)]
            for file in files:
                if not file.startswith("."):
                    self.take(folder / file)

    def take(self, path: Path) -> None:
        try:
            mode = path.stat().st_mode
        except OSError as error:
            self._take_unseen(path, error)
            return
        if not stat.S_ISREG(mode):  # reading it may never end
            self.left_out.append(LeftOut(path, _SPECIAL.get(stat.S_IFMT(mode), "no ordinary file")))
        elif path.suffix.lower() in _DRAWINGS:
            self.left_out.append(LeftOut(path, "a drawing, which has no pixels to enlarge"))
        elif not self.wanted(path):
            if _may_be_picture(path) and not os.access(path, os.R_OK):
                self.left_out.append(LeftOut(path, "cannot be read: Permission denied"))
            elif _may_be_picture(path, unknown=""):
                self.left_out.append(LeftOut(path, "not a picture in any known format"))
        elif path.name in self._in(path.parent).names and not self.results:
            self.own.append(path)
        else:
            self.files.append(path)

    def _take_unseen(self, path: Path, error: OSError) -> None:
        """A link to nowhere or in a circle, or what is in a folder that may be listed but not entered."""
        if path.suffix.lower() not in picture_suffixes() or not self.wanted(path):
            return
        if self.broken_links:
            self.files.append(path)
        elif error.errno in (errno.ENOENT, errno.ELOOP):
            self.left_out.append(LeftOut(path, "a link to nowhere"))
        else:
            self._unreadable(error)

    def leave_folder(self, folder: Path) -> None:
        entry = LeftOut(folder, self._in(folder).kind or self._in(folder.parent).kind)
        if entry not in self.left_out:
            self.left_out.append(entry)

    def outermost_own(self, path: Path) -> Path | None:
        """The folder nearest to the root, below it, that is left out as a whole and holds the path."""
        inside = [p for p in path.parents if p != self.root and self.root in p.parents]
        return next((p for p in reversed(inside) if self._is_own(p)), None)

    def found(self) -> Found:
        if self.own and not self.files:  # a folder of results: they are what is meant
            self.files, self.own = self.own, []
        counts = Counter(path.parent for path in self.own)
        for folder, count in counts.items():
            files = f"{count} file" if count == 1 else f"{count} files"
            self.left_out.append(LeftOut(folder, f"{self._in(folder).kind}: {files}"))
        ordered = sorted(self.files, key=lambda p: p.relative_to(self.root).parts)
        return Found(tuple(ordered), tuple(sorted(self.left_out, key=lambda entry: str(entry.path))))

    def _enters(self, folder: Path) -> bool:
        if self._is_own(folder):
            self.leave_folder(folder)
            return False
        return True

    def _is_own(self, folder: Path) -> bool:
        own = self._in(folder).whole or folder.name in self._in(folder.parent).names
        return own and not self.results

    def _in(self, folder: Path) -> Written:
        if folder not in self._written:
            self._written[folder] = written_in(folder)
        return self._written[folder]

    def _unreadable(self, error: OSError) -> None:
        self.left_out.append(LeftOut(Path(str(error.filename)), f"cannot be read: {error.strerror or error}"))


def list_left_out(left_out: Iterable[LeftOut], most: int = 10) -> str:
    """What was left out, in one line."""
    named = [str(entry) for entry in left_out]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more

"""Where images lie: in files of their own, or inside tar archives such as the shards of webdataset.

An archive is indexed once by its headers and its images are then read in place, each by its offset. So tar
shards are sampled like loose files: in one global order that resumes at any step and is split over processes
and workers, with every cache mode. Only plain tar can be read so; compressed archives are named and skipped.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeAlias

from kornia_srgan.data.images import as_roots, find_files, no_images, report_left_out
from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.photos.find import picture_suffixes

_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


Failures: TypeAlias = list[tuple[Path, str]]
"""Files that cannot be read, each with the reason."""


@dataclass(frozen=True)
class Located:
    """An encoded image.

    Attributes:
        path: The file, or the archive it is in.
        member: Its name in the archive; empty for a file of its own.
        offset: Where its bytes begin in the archive.
        size: How many there are.
    """

    path: Path
    member: str = ""
    offset: int = 0
    size: int = 0

    @property
    def name(self) -> Path:
        """The path, or the path in the archive after the archive's."""
        return self.path / self.member if self.member else self.path

    def open(self) -> Path | BinaryIO:
        """What decoders take: the path, or the bytes out of the archive."""
        if not self.member:
            return self.path
        with self.path.open("rb") as archive:
            archive.seek(self.offset)
            return BytesIO(archive.read(self.size))


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive by its name, compressed or not."""
    return path.name.lower().endswith((".tar", *_COMPRESSED))


def locate_images(
    folders: Iterable[str | Path] | str | Path, pixels: PixelFormat = RGB
) -> tuple[list[Located], list[tuple[Path, str]]]:
    """All images in folders, loose and in tar archives, in the order of their paths.

    Returns:
        The images, and each archive that cannot be read (to its end) with the reason.

    Raises:
        DataError: If a folder is missing, or there is neither an image nor an archive.
    """
    roots = as_roots(folders)
    found: list[Located] = []
    failures: list[tuple[Path, str]] = []
    files = find_files(roots, lambda p: is_archive(p) or pixels.wanted(p))
    if not files.files:
        raise no_images(roots, files.left_out)
    report_left_out(files.left_out)
    for path in files.files:
        if is_archive(path):
            members, problem = list_members(path, pixels)
            found += members
            failures += [(path, problem)] if problem else []
        else:
            found.append(Located(path))
    return found, failures


def list_members(archive: Path, pixels: PixelFormat = RGB) -> tuple[list[Located], str]:
    """The images in a tar archive by its headers, and what was wrong with it if anything was."""
    found: list[Located] = []
    suffixes = picture_suffixes().union(pixels.suffixes)
    if archive.name.lower().endswith(_COMPRESSED):
        return found, f"cannot read archive '{archive}': it is compressed; unpack it to a plain .tar"
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if member.isreg() and not name.name.startswith(".") and name.suffix.lower() in suffixes:
                    found.append(Located(archive, member.name, member.offset_data, member.size))
    except (tarfile.TarError, OSError, EOFError) as error:
        return found, f"cannot read archive '{archive}': {error}"
    return found, ""

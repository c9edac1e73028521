"""Locates images: single files, or members of tar archives such as webdataset shards.

The headers of an archive are indexed once; images are then read in place by their offset. Tar shards are
therefore sampled like single files: in one global order that can be resumed at any step and split over
processes and workers, with every cache mode. Compressed archives cannot be read this way and are skipped with
a message.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeAlias

from kornia_srgan.data.images import as_roots, find_data_files, no_images, report_left_out
from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.photos.find import picture_suffixes

_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


Failures: TypeAlias = list[tuple[Path, str]]
"""Files that cannot be read, each with the reason."""


@dataclass(frozen=True)
class Located:
    """An encoded image.

    Attributes:
        path: The file, or the archive.
        member: The name in the archive; empty for a single file.
        offset: The position of its bytes in the archive.
        size: The number of bytes.
    """

    path: Path
    member: str = ""
    offset: int = 0
    size: int = 0

    @property
    def name(self) -> Path:
        """The path; for a member, the path of the archive followed by the member."""
        return self.path / self.member if self.member else self.path

    def open(self) -> Path | BinaryIO:
        """The path, or a stream of the bytes in the archive: what decoders accept."""
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
    """Find all images in folders and in tar archives, in the order of their paths.

    Returns:
        The images; and each archive that cannot be read, or not to its end, with the reason.

    Raises:
        DataError: If a folder is missing, or has neither an image nor an archive.
    """
    roots = as_roots(folders)
    found: list[Located] = []
    failures: list[tuple[Path, str]] = []
    files = find_data_files(roots, lambda p: is_archive(p) or pixels.wanted(p))
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
    """List the images in a tar archive; also return the problem if it is damaged."""
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

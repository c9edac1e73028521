"""Pictures and results that lie elsewhere, such as in a bucket: `s3://`, `https://` and what fsspec knows.

They are found by their names alone. Each is fetched when its turn comes and removed afterwards, so that a
bucket may be larger than the disk. A result is there whole, or not at all.
"""

from __future__ import annotations

import glob
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from kornia_srgan.data.refusals import refusal_error, refusal_reason
from kornia_srgan.data.remote import file_system_of, require_file_system
from kornia_srgan.errors import DataError, UserError
from kornia_srgan.explain import one_line
from kornia_srgan.network import is_on_the_web, last_part
from kornia_srgan.photos.find import LeftOut, picture_suffixes

if TYPE_CHECKING:
    from kornia_srgan.batch.jobs import Job

_STORES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf", "memory")
"""Here a file appears when its last byte has arrived; elsewhere it is renamed at the end."""


@dataclass(frozen=True)
class Listed:
    """What an address stands for: other addresses, each with its folder below the first one."""

    files: tuple[tuple[str, Path], ...]
    left_out: tuple[LeftOut, ...] = ()


def public_address(address: str) -> str:
    """An address as messages and reports show it: without a password, or a signature after `?`."""
    if is_on_the_web(address):
        parts = urlsplit(address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return address


def file_name(address: str) -> str:
    """The name of the file at an address."""
    name = last_part(address)
    return PurePosixPath(unquote(name) if is_on_the_web(address) else name).name or "picture"


def find_elsewhere(address: str, *, recursive: bool = True) -> Listed:
    """The pictures of an address: of a file, a folder or a pattern. On a web server, of a file only.

    Args:
        address: Such as `s3://bucket/photos`.
        recursive: Search subfolders.

    Raises:
        MissingExtraError: If a package for it is missing.
        DataError: If it does not exist, cannot be read, or has no picture.
    """
    require_file_system(address, purpose=f"'{public_address(address)}'")
    if is_on_the_web(address):
        return Listed(((address, Path()),))
    with _told("read", address):
        files, root = file_system_of(address)
        if glob.has_magic(root):
            base = posixpath.dirname(root[: root.index(next(c for c in root if c in "*?["))] + "x")
            found = [path for path in files.glob(root) if files.isfile(path)]
        elif files.isdir(root):
            base, found = root, files.find(root, maxdepth=None if recursive else 1)
        else:
            files.info(root)  # raises if there is none
            return Listed(((address, Path()),))
    kept, left_out = [], []
    for path in sorted(found):
        where = files.unstrip_protocol(path)
        name = PurePosixPath(path)
        if name.suffix.lower() in picture_suffixes():
            below = posixpath.relpath(posixpath.dirname(path), base.rstrip("/") or "/")
            kept.append((where, Path(below)))
        elif not name.name.startswith("."):
            left_out.append(LeftOut(where, "not named as a picture; give it by name to enlarge it"))
    if not kept:
        raise DataError(f"no picture in '{public_address(address)}'", where=public_address(address))
    return Listed(tuple(kept), tuple(left_out))


def check_results_address(address: str, inputs: Sequence[str]) -> None:
    """Refuse an address that results cannot be written to, or where they would count as pictures next time.

    Raises:
        MissingExtraError: If a package for it is missing.
        UserError: If it is refused.
    """
    where = public_address(address)
    if is_on_the_web(address):
        raise UserError(f"results cannot be written to '{where}'; give a folder or a bucket", where=where)
    for text in inputs:
        if f"{address.rstrip('/')}/".startswith(f"{text.rstrip('/')}/"):
            raise UserError(
                f"'{where}' lies in the input '{public_address(text)}', so that results would be "
                "enlarged next time; choose another -o",
                where=where,
            )
    require_file_system(address, purpose=f"'{where}'")


def delivered(jobs: Sequence[Job], folder: Path, address: str, *, skip: bool) -> list[Job]:
    """Jobs whose results go to an address.

    Args:
        jobs: Planned for a local folder, or a single one for a local file.
        folder: That folder or file.
        address: What takes its place.
        skip: Leave out what is there already.
    """
    placed = []
    for job in jobs:
        below = job.target.relative_to(folder).as_posix()
        target = address if below == "." else f"{address.rstrip('/')}/{below}"
        placed.append(replace(job, deliver=target, target_label=public_address(target)))
    if not skip:
        return placed
    with _told("read", address):
        files, root = file_system_of(address)
        files.invalidate_cache()
        there = set(files.find(root))
        return [replace(job, skip=file_system_of(job.deliver)[1] in there) for job in placed]


@contextmanager
def brought(job: Job) -> Iterator[Job]:
    """A job whose picture was fetched. At the end its result, if there is one, is taken to its place.

    Raises:
        DataError: If one of the two fails.
    """
    with TemporaryDirectory(prefix="kornia-srgan-") as folder:
        here = job
        if job.fetch:
            local = Path(folder) / f"in-{file_name(job.fetch)}"
            with _told("read", job.fetch):
                files, path = file_system_of(job.fetch)
                files.get_file(path, str(local))
            here = replace(here, source=local, fetch="")
        if job.deliver:
            here = replace(here, target=Path(folder) / f"out-{job.target.name}", deliver="")
        yield here
        if job.deliver and here.target.is_file():
            with _told("write", job.deliver):
                _put(here.target, job.deliver)


def _put(local: Path, address: str) -> None:
    files, path = file_system_of(address)
    if urlsplit(address).scheme in _STORES:
        files.put_file(str(local), path)
        return
    files.makedirs(posixpath.dirname(path), exist_ok=True)
    part = f"{path}.part"
    files.put_file(str(local), part)
    files.mv(part, path)


@contextmanager
def _told(what: str, address: str) -> Iterator[None]:
    """Errors of file systems, each of which has its own, as one line of ours."""
    where = public_address(address)
    try:
        yield
    except Exception as error:
        reason = refusal_reason(address, error) or one_line(error.__cause__ or error, 200)
        raise refusal_error(reason)(f"cannot {what} '{where}': {reason}", where=where) from error

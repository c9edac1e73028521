"""Files that are written whole or not at all, and known by their content. Standard library only."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kornia_srgan.errors import KorniaSRGANError, UserError


@contextmanager
def replacing(path: Path, error: type[UserError] = UserError) -> Iterator[Path]:
    """Yield a temporary path in the same folder that replaces `path` if the block succeeds.

    The folder is created if needed. If the block fails or is interrupted, an existing file is left unchanged.

    Args:
        path: The file to write.
        error: The exception to raise.

    Raises:
        UserError: As `error`, if the folder or the file cannot be written.
    """
    # Its own name, not one made of `path`, which may be as long as names can be; PIL looks at the suffix.
    temporary = path.with_name(f".kornia-srgan-{secrets.token_hex(6)}{path.suffix}")
    try:
        with contextlib.suppress(FileExistsError):  # said by what follows, and better
            path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        os.replace(temporary, path)
    except KorniaSRGANError:  # some are OSErrors too, and say what they are
        raise
    except OSError as problem:
        raise error(f"cannot write {path}: {problem.strerror or problem}", where=path) from problem
    finally:
        with contextlib.suppress(OSError):  # renamed by now, or never made
            temporary.unlink()


def write_bytes(path: Path, data: bytes, error: type[UserError] = UserError) -> None:
    """Write a file atomically: its content is on the disk before it gets its name.

    Raises:
        UserError: As `error`, if it cannot be written.
    """
    with replacing(path, error) as temporary, open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: Path, text: str, error: type[UserError] = UserError) -> None:
    """Write a text as UTF-8, like `write_bytes`.

    Raises:
        UserError: As `error`, if it cannot be written.
    """
    write_bytes(path, text.encode("utf-8"), error)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

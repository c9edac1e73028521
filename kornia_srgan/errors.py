"""The errors a user can meet.

Every message is one line: what was wrong, where, and what would be right. The command line prints it and
exits with `exit_code`: 2 for a mistake that the user can correct, 1 for a bug in this package.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Self


class KorniaSRGANError(Exception):
    """Base of all errors raised on purpose by this package.

    Most derive from the fitting standard error too: `except ValueError` and `except FileNotFoundError` work.

    Args:
        message: One line.
        where: The subject, such as a file, an argument or a layer.
    """

    exit_code = 1

    def __init__(self, message: str = "", *, where: str | PathLike[str] | None = None) -> None:
        super().__init__(message)
        self.where: str | None = None if where is None else str(where)

    @classmethod
    def at(cls, where: str | PathLike[str], problem: object) -> Self:
        """An error whose message begins with its place: `where: problem`."""
        return cls(f"{where}: {problem}", where=where)

    def __str__(self) -> str:
        """The message, without the quotes that `KeyError` would add."""
        return str(self.args[0]) if self.args else ""


class UserError(KorniaSRGANError):
    """A problem with the input, the arguments or the environment that the user can correct."""

    exit_code = 2


class UnknownComponentError(UserError, KeyError):
    """A registry has no component of that name."""


class DuplicateComponentError(UserError, ValueError):
    """Two components claim one name."""


class ArgumentError(UserError, ValueError):
    """An argument has a value that cannot be used, or does not fit the component's signature."""


class PluginError(UserError, ImportError):
    """A requested plug-in could not be imported."""


class ConfigError(UserError, ValueError):
    """A recipe or config file has a wrong key or value."""


class DataError(UserError, ValueError):
    """A data folder is missing, empty or unreadable."""


class DataNotFoundError(DataError, FileNotFoundError):
    """A file or folder of data does not exist."""


class ImageError(UserError, ValueError):
    """An image cannot be read or written."""


class NotFiniteError(UserError, ArithmeticError):
    """A result holds NaN or infinity, so there is no picture to write."""


class OutOfMemoryError(UserError, MemoryError):
    """There is not enough memory, on the processor or on a device."""


class WeightsError(UserError, ValueError):
    """A weight file is missing, damaged, or belongs to another model."""


class WeightsNotFoundError(WeightsError, FileNotFoundError):
    """A weight file does not exist."""


class MissingExtraError(UserError, ImportError):
    """A feature needs a package that is not installed."""


class OfflineError(UserError, ConnectionError):
    """Something must be downloaded and the network cannot be reached."""


class NetworkError(KorniaSRGANError, ConnectionError):
    """A server failed, though it was asked several times."""


class TrainingError(KorniaSRGANError, RuntimeError):
    """Training could not continue."""


@contextmanager
def located(where: str | PathLike[str]) -> Iterator[None]:
    """Errors of this package that are raised within and name no place get this one."""
    try:
        yield
    except KorniaSRGANError as error:
        error.where = error.where or str(where)
        raise


def close_match(name: str, options: Iterable[str]) -> str | None:
    """The option that `name` most likely meant, or None."""
    matches = difflib.get_close_matches(name, list(options), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """A clause to append to a message: `; did you mean 'x'?`, or an empty string."""
    match = close_match(name, options)
    return f"; did you mean '{match}'?" if match else ""

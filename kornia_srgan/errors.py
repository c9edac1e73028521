"""The errors a user can meet.

Every message is one line that says what was wrong, where, and what would be right. The command line prints
it and exits with `exit_code`: 2 where the user can mend it, 1 where we must.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class KorniaSRGANError(Exception):
    """Base of all errors raised on purpose by this package."""

    exit_code = 1


class UserError(KorniaSRGANError):
    """Something in the input, the arguments or the surroundings that the user can put right."""

    exit_code = 2


class UnknownComponentError(UserError):
    """A registry has no component of that name."""


class DuplicateComponentError(UserError):
    """Two components claim one name."""


class ArgumentError(UserError):
    """An argument does not fit the component's signature."""


class PluginError(UserError):
    """A plug-in that was asked for could not be imported."""


class ConfigError(UserError):
    """A recipe or config file has a wrong key or value."""


class DataError(UserError):
    """A data folder is missing, empty or unreadable."""


class ImageError(UserError):
    """An image cannot be read or written."""


class WeightsError(UserError):
    """A weight file is missing, damaged, or belongs to another model."""


class MissingExtraError(UserError):
    """A feature needs a package that is not installed."""


class OfflineError(UserError):
    """Something must be downloaded and the network cannot be reached."""


class TrainingError(KorniaSRGANError):
    """Training could not go on."""


def close_match(name: str, options: Iterable[str]) -> str | None:
    """The option that `name` most likely meant, or None."""
    matches = difflib.get_close_matches(name, list(options), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """A clause to append to a message: `; did you mean 'x'?`, or an empty string."""
    match = close_match(name, options)
    return f"; did you mean '{match}'?" if match else ""

"""`Layout` describes the checkpoints of another project; with helpers to read them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.spec import JSON

if TYPE_CHECKING:
    from torch import Tensor

State = Mapping[str, "Tensor"]
NORM = "(weight|bias|running_mean|running_var|num_batches_tracked)"  # what a BatchNorm holds


@dataclass(frozen=True)
class Converted:
    """A generator of this package that is equivalent to a foreign checkpoint."""

    name: str
    args: dict[str, JSON]
    scale: int
    state: dict[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """How a project names the tensors of an architecture.

    Attributes:
        name: The project and architecture, for messages.
        rules: Pairs of a pattern of its keys (a regular expression for the whole key) and the key after
            renaming (as in `re.sub`). A pattern that starts with `?` need not occur.
        convert: Makes a generator of the renamed tensors.
    """

    name: str
    rules: tuple[tuple[str, str], ...]
    convert: Callable[[State], Converted]

    def rename(self, key: str) -> str | None:
        """The key after renaming, or None if the layout has no such key."""
        for pattern, template in self.rules:
            match = re.fullmatch(pattern.removeprefix("?"), key)
            if match:
                return match.expand(template)
        return None

    def unknown(self, keys: Iterable[str]) -> list[str]:
        """The keys that the layout does not have."""
        return [key for key in keys if self.rename(key) is None]

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The patterns that should occur and do not."""
        keys = list(keys)
        required = [pattern for pattern, _ in self.rules if not pattern.startswith("?")]
        return [p for p in required if not any(re.fullmatch(p, key) for key in keys)]

    def likeness(self, keys: Iterable[str]) -> float:
        """The share of keys that fit, from 0 to 1; 1 is a match."""
        keys = list(keys)
        required = sum(not pattern.startswith("?") for pattern, _ in self.rules)
        known = 1 - len(self.unknown(keys)) / max(len(keys), 1)
        found = 1 - len(self.missing(keys)) / max(required, 1)
        return known * found

    def read(self, state: State) -> Converted:
        """Rename and convert a state dict that matches."""
        return self.convert(rename_keys(state, lambda key: str(self.rename(key))))


def rename_keys(state: State, rename: Callable[[str], str]) -> dict[str, Tensor]:
    """Rename the keys of tensors.

    Raises:
        WeightsError: If two keys would become one.
    """
    renamed: dict[str, Tensor] = {}
    for key, value in state.items():
        name = rename(key)
        if name in renamed:
            raise WeightsError(f"'{key}' is one layer too many: there is already one for '{name}'")
        renamed[name] = value
    return renamed


def count_numbered(state: State, prefix: str) -> int:
    """How many numbered entries `prefix0`, `prefix1`, … there are; they must be without a gap.

    Raises:
        WeightsError: If there is none or a number is left out.
    """
    pattern = re.compile(re.escape(prefix) + r"(\d+)\.")
    numbers = {int(match[1]) for match in map(pattern.match, state) if match}
    if not numbers or numbers != set(range(len(numbers))):
        raise WeightsError(f"its layers '{prefix}N' are numbered {sorted(numbers)}, expected 0 and on")
    return len(numbers)


def shuffle_factor(weight: Tensor, channels: int) -> int:
    """The factor of a pixel shuffle after a convolution with this weight.

    Raises:
        WeightsError: If no whole factor gives that shape.
    """
    factor = round((weight.shape[0] / channels) ** 0.5)
    if factor * factor * channels != weight.shape[0]:
        raise WeightsError(
            f"a convolution to {weight.shape[0]} channels is not a pixel shuffle to {channels}"
        )
    return factor


def check_rgb(first: Tensor, last: Tensor, *, inputs: int = 3) -> None:
    """Raise `WeightsError` unless the network maps RGB to RGB."""
    if first.shape[1] != inputs or last.shape[0] != 3:
        raise WeightsError(
            f"the network takes {first.shape[1] * 3 // inputs} channels and gives {last.shape[0]}; "
            "only RGB networks can be imported"
        )

"""The part of a batch that one of several processes or machines does, without asking the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kornia_srgan.errors import ArgumentError

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """One of `count` shares; all who list the same files choose the same shares.

    Attributes:
        index: From 0.
        count: How many there are.
        claims: All is shared, and each claims a result before the work; see `claims`.
    """

    index: int = 0
    count: int = 1
    claims: bool = False

    def of(self, items: Sequence[T], size: Callable[[T], float] = lambda _: 1.0) -> list[T]:
        """The items of this share: from the largest on, each went to the share with the least so far."""
        loads = [0.0] * self.count
        mine: set[int] = set()
        for number in sorted(range(len(items)), key=lambda n: (-size(items[n]), n)):
            least = loads.index(min(loads))
            loads[least] += size(items[number]) + 1e-3  # files of no known size are shared by number
            if least == self.index:
                mine.add(number)
        return [item for number, item in enumerate(items) if number in mine]


def parse_share(text: str | None) -> Share:
    """A share as it is typed: `2/5` is the second of five; `auto` claims results; None is all.

    Raises:
        ArgumentError: If it is none.
    """
    if text is None:
        return Share()
    if text.strip().lower() == "auto":
        return Share(claims=True)
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ArgumentError(
            f"'{text}' is no share; 2/5 is the second of five, auto what nobody else has", where="share"
        )
    return Share(int(match[1]) - 1, int(match[2]))

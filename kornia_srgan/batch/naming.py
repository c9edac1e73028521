"""Names of results."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kornia_srgan.errors import UserError

_FIELDS = "{stem}, {ext}, {size}, {scale}"


@dataclass(frozen=True)
class Naming:
    """How results are named.

    Attributes:
        pattern: With the fields `{stem}` and `{ext}` of the photograph, `{size}` and `{scale}`.
        size: The requested size, such as `x4` or `1600w`.
        scale: The scale of all results; None if it differs.
    """

    size: str
    scale: float | None = None
    pattern: str = "{stem}_{size}"

    @classmethod
    def by_scale(cls, scale: float, pattern: str = "{stem}_{size}") -> Naming:
        """The naming for results that are all `scale` times as large."""
        return cls(f"x{scale:g}", scale, pattern)

    def stem(self, source: Path, *, with_suffix: bool = False) -> str:
        """A result's name without its suffix.

        Args:
            source: The photograph.
            with_suffix: Include its suffix, because another photograph has the same stem.

        Raises:
            UserError: If the pattern has an unknown field or leaves the folder.
        """
        if self.scale is None and "{scale" in self.pattern:
            raise UserError(
                f"name pattern '{self.pattern}': each result has a scale of its own; use {{size}} "
                f"('{self.size}')",
                where="name",
            )
        ext = source.suffix.lstrip(".")
        stem = f"{source.stem}_{ext}" if with_suffix and ext else source.stem
        try:
            name = self.pattern.format(stem=stem, ext=ext, size=self.size, scale=f"{self.scale or 0:g}")
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise UserError(
                f"name pattern '{self.pattern}' is wrong ({error}); fields: {_FIELDS}", where="name"
            ) from error
        if not name or "/" in name or os.sep in name:
            raise UserError(
                f"name pattern '{self.pattern}' must make a file name, without folders", where="name"
            )
        return name


def same_place(path: Path) -> str:
    """A key that is equal for paths that may be the same file, such as on case-insensitive disks."""
    return unicodedata.normalize("NFC", str(path.absolute())).casefold()


def shared_places(paths: Iterable[Path]) -> set[str]:
    """The keys that several paths share."""
    return {key for key, count in Counter(map(same_place, paths)).items() if count > 1}


def numbered_apart(paths: Sequence[Path]) -> list[Path]:
    """The paths, numbered where they would be the same."""
    taken = set(map(same_place, paths))
    seen: set[str] = set()
    apart = []
    for path in paths:
        free, number = path, 1
        while same_place(free) in (seen if number == 1 else taken | seen):
            number += 1
            free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        seen.add(same_place(free))
        apart.append(free)
    return apart

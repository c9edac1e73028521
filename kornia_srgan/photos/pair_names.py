"""Which LR picture belongs to which HR picture, by their names."""

from __future__ import annotations

import re
from typing import Literal

Side = Literal["hr", "lr", ""]

_HR = re.compile(r"[_.-](hr|gt)$")
_LR = re.compile(r"[_.-](lr|lq)(x?(?P<scale>\d+))?$")


def hr_stem(stem: str) -> str:
    """A file's stem in lower case without what marks it as HR: `Canon_001_HR` gives `canon_001`."""
    return _HR.sub("", stem.lower())


def lr_stem(stem: str, scale: int) -> str:
    """The HR stem that an LR file belongs to: `babyx4`, `baby_x4`, `baby_LR4`, `baby` all give `baby`.

    Marks of another scale stay, so that `babyx2` belongs to nothing at x4.
    """
    return re.sub(rf"([_-]?x{scale}|[_.-](lr|lq)(x?{scale})?|_lr_bicubic)$", "", stem.lower())


def side_of(stem: str, scale: int) -> Side:
    """Whether a stem is marked as HR or as LR of that scale (`0001.hr`, `0001_LR4`); else empty."""
    if _HR.search(stem.lower()):
        return "hr"
    mark = _LR.search(stem.lower())
    return "lr" if mark and mark["scale"] in (None, str(scale)) else ""

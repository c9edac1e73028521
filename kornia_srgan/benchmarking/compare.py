"""Compares two runs of the forward benchmark on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kornia_srgan.benchmarking.machine import machine_differences
from kornia_srgan.benchmarking.measurements import Result
from kornia_srgan.benchmarking.schema import Case, ForwardDocument, Run

HEADINGS = ("case", "engine", "before", "now", "now / before", "")


@dataclass(frozen=True)
class Change:
    """One engine on one case, before and now; a speed is None if that run failed or is missing."""

    case: str
    engine: str
    before: Result | None
    now: Result | None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Speed now over speed before."""
        return self.now.median / self.before.median if self.now and self.before else None

    @property
    def overlap(self) -> bool | None:
        """Whether the quartile ranges overlap; if so, the change may be noise."""
        if not (self.now and self.before):
            return None
        return self.now.q1 <= self.before.q3 and self.before.q1 <= self.now.q3


def why_not_comparable(old: ForwardDocument, new: ForwardDocument) -> str:
    """The reason why two documents cannot be compared; empty if they can."""
    return "; ".join(machine_differences(old.machine, new.machine))


def find_changes(old: ForwardDocument, new: ForwardDocument) -> list[Change]:
    """The changes of every run of both documents, those of the new one first."""
    before, now = dict(_runs(old)), dict(_runs(new))
    found = []
    for key in (*now, *(key for key in before if key not in now)):
        case, run = now.get(key) or before[key]
        speeds = (
            old.speed(before[key][1]) if key in before else None,
            new.speed(now[key][1]) if key in now else None,
        )
        found.append(Change(case.label, run.engine, *speeds, _note(before.get(key), now.get(key))))
    return found


_Pair = tuple[Case, Run]


def _note(before: _Pair | None, now: _Pair | None) -> str:
    if before is None:
        return "not measured before"
    if now is None:
        return "not measured now"
    if now[1].status == "failed":
        return ("failed as before: " if before[1].status == "failed" else "failed: ") + now[1].error
    if before[1].status == "failed":
        return "failed before"
    sizes = before[0].parameters, now[0].parameters
    return "" if sizes[0] == sizes[1] else f"another network: {sizes[0]} parameters before, {sizes[1]} now"


def _runs(document: ForwardDocument) -> Iterator[tuple[tuple[Any, ...], _Pair]]:
    """By what makes two runs the same work."""
    for case in document.cases:
        for run in case.runs:
            yield (case.label, case.kind, run.engine), (case, run)


def change_rows(found: list[Change]) -> Iterator[tuple[str, ...]]:
    """A line for each change."""
    for change in found:
        verdict = change.note
        if change.overlap is not None and not verdict:
            verdict = (
                "quartiles overlap" if change.overlap else "faster" if (change.ratio or 0) > 1 else "slower"
            )
        yield (
            change.case,
            change.engine,
            f"{change.before.median:.3g}" if change.before else "",
            f"{change.now.median:.3g}" if change.now else "",
            f"{change.ratio:.2f}x" if change.ratio else "",
            verdict,
        )

"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(
    headings: Sequence[str], lines: Iterable[Sequence[str]], remarks: Iterable[str] = ()
) -> str:
    """A table as Markdown, with remarks as a list under it; bars in cells are escaped."""
    rule = ["---"] * len(headings)
    table = "".join(f"| {' | '.join(map(_escaped, cells))} |\n" for cells in (headings, rule, *lines))
    listed = "".join(f"- {remark}\n" for remark in remarks)
    return f"{table}\n{listed}" if listed else table


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")

"""The fenced code of our Markdown files."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(
    r"(?P<skip><!-- not run[^>]*-->\n+)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Snippet:
    """A block of code; `not_run` is set by a comment `<!-- not run: why -->` above it."""

    file: str
    line: int
    language: str
    code: str
    not_run: bool


def snippets(file: str, *languages: str) -> list[Snippet]:
    """The blocks of a file (a path from the repository's root) in those languages, in order."""
    text = (ROOT / file).read_text("utf-8")
    return [
        Snippet(file, text.count("\n", 0, m.start()) + 1, m["language"], m["code"], bool(m["skip"]))
        for m in _FENCE.finditer(text)
        if m["language"] in languages
    ]


def run_python(file: str, namespace: dict) -> None:
    """Run a file's Python blocks one after the other, as a reader would paste them into one session."""
    for snippet in snippets(file, "python"):
        if not snippet.not_run:
            padding = "\n" * snippet.line  # so that a traceback shows the file's own line
            exec(compile(padding + snippet.code, str(ROOT / file), "exec"), namespace)

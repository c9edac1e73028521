"""The findings of a survey: facts about each image, and its problems."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal[
    "unreadable", "duplicate", "small", "enlarged", "compressed", "no partner", "wrong size", "shifted"
]

MEANINGS: dict[Kind, str] = {
    "unreadable": "cannot be decoded; training leaves them out",
    "duplicate": "the same pixels as another file; seen twice as often",
    "small": "smaller than a crop; training mirrors them at their edges",
    "enlarged": "no finer than a smaller picture; enlarged, or out of focus",
    "compressed": "compressed hard; their blocks become what is learnt",
    "no partner": "one half of a pair; training stops at a missing LR image",
    "wrong size": "LR is not HR divided by the scale; training stops here",
    "shifted": "LR and HR do not lie over each other; what is learnt is blurred",
}


@dataclass(frozen=True)
class SurveyedImage:
    """One image that can be decoded.

    Attributes:
        path: The file; in an archive, the path of the archive followed by the member.
        format: As Pillow calls it.
        mode: As Pillow calls it, such as `RGB` or `I;16`.
        width: In pixels, after EXIF rotation.
        height: In pixels.
        quality: The quality of a JPEG.
        enlarged: See `measure.Detail`.
        blocks: See `measure.Detail`.
        digest: Hash of its pixels.
    """

    path: str
    format: str
    mode: str
    width: int
    height: int
    quality: int | None
    enlarged: float
    blocks: float
    digest: str


@dataclass(frozen=True)
class AlignedPair:
    """An HR and an LR image, and the shift between them in HR pixels."""

    hr: str
    lr: str
    right: float
    down: float
    trust: float


@dataclass(frozen=True)
class Problem:
    """A problem with a file."""

    kind: Kind
    path: str
    detail: str


@dataclass(frozen=True)
class Survey:
    """All findings.

    Attributes:
        places: The folders and archives that were searched.
        pictures: Every image that can be decoded.
        pairs: Every pair whose sizes fit.
        problems: In the order of `MEANINGS`, then of paths.
    """

    places: tuple[str, ...]
    pictures: tuple[SurveyedImage, ...]
    pairs: tuple[AlignedPair, ...]
    problems: tuple[Problem, ...]

    def counts(self) -> dict[Kind, int]:
        """The number of problems of each kind that occurs."""
        found = Counter(problem.kind for problem in self.problems)
        return {kind: found[kind] for kind in MEANINGS if found[kind]}

    def to_fix(self) -> list[str]:
        """The files with a problem, each once."""
        return list(dict.fromkeys(problem.path for problem in self.problems))

    def as_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"version": 1, "counts": self.counts(), **asdict(self)}


def describe_survey(survey: Survey, *, named: int = 3) -> str:
    """Summarise a survey in a few lines, with the first `named` files of each kind of problem."""
    pictures = survey.pictures
    lines = [f"{len(pictures)} images in {', '.join(survey.places)}"]
    if pictures:
        megapixels = sum(p.width * p.height for p in pictures) / 1e6
        formats = Counter(f"{p.format} {p.mode}" for p in pictures).most_common()
        sides = sorted(pictures, key=lambda p: p.width * p.height)
        sizes = [f"{p.width}x{p.height}" for p in (sides[0], sides[len(sides) // 2], sides[-1])]
        lines += [
            f"  formats     {', '.join(f'{count} {name}' for name, count in formats)}",
            f"  sizes       {sizes[0]} to {sizes[2]}, median {sizes[1]}; {megapixels:,.1f} megapixels in all",
        ]
        qualities = sorted(p.quality for p in pictures if p.quality)
        if qualities:
            middle = qualities[len(qualities) // 2]
            lines.append(f"  JPEG        quality {qualities[0]} to {qualities[-1]}, median {middle}")
    if survey.pairs:
        lengths = sorted((p.right**2 + p.down**2) ** 0.5 for p in survey.pairs)
        lines.append(
            f"  pairs       {len(lengths)}, shifted by {lengths[len(lengths) // 2]:.2f} HR pixels in the "
            f"median, {lengths[-1]:.2f} at most"
        )
    for kind, count in survey.counts().items():
        lines.append(f"{count} {kind}: {MEANINGS[kind]}")
        mine = [p for p in survey.problems if p.kind == kind]
        lines += [f"  {p.path}: {p.detail}" for p in mine[:named]]
        lines += [f"  and {count - named} more"] if count > named else []
    if not survey.problems:
        lines.append("nothing wrong was found")
    return "\n".join(lines)

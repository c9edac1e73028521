"""The weights that the page offers, by the labels that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kornia_srgan.errors import UserError, WeightsError
from kornia_srgan.weights.files import read_spec
from kornia_srgan.weights.locate import DEFAULT_WEIGHTS, locate, zoo_names
from kornia_srgan.weights.spec import WeightSpec

Source = str | Path


@dataclass(frozen=True)
class Choice:
    """Weights to choose.

    Attributes:
        source: What `load_generator` takes.
        scale: What they enlarge by.
        text: What they are, in some words.
    """

    source: Source
    scale: int
    text: str


Choices = Mapping[str, Choice]
"""By label, in the order of the list; the first is chosen when the page opens."""


def choices_of(given: Sequence[str]) -> Choices:
    """What was given on the command line, then the packaged weights, the default ones first.

    Raises:
        WeightsError: If there are no such weights, they are damaged, or none are here at all.
    """
    packaged = sorted(zoo_names(), key=lambda name: (name != DEFAULT_WEIGHTS, name))
    found: dict[str, Choice] = {}
    for source in (*given, *(name for name in packaged if name not in given)):
        path = locate(source)
        label = source if source in packaged or str(source).startswith("hf-hub:") else path.name
        found[_free(label, path, found)] = _choice(source, _spec(path))
    if not found:
        raise WeightsError("this installation has no packaged weights; give a file with --weights")
    return found


def with_upload(choices: Choices, path: Path) -> tuple[str, Choices]:
    """The label of a file of weights that came through the page, and the choices with it.

    Raises:
        WeightsError: If it is no weight file of this package, or not a generator's.
    """
    try:
        choice = _choice(path, _checked(read_spec(path), path.name))
    except WeightsError as error:  # the folder is ours and tells the user nothing
        raise WeightsError(str(error).replace(str(path), path.name)) from None
    label = _free(path.name, path, choices)
    return label, {**choices, label: choice}


def chosen(choices: Choices, label: str | None) -> Choice:
    """The weights of a label.

    Raises:
        UserError: If there are none.
    """
    if label is None or label not in choices:
        raise UserError(f"there are no weights called '{label}' here; choose some from the list")
    return choices[label]


def _choice(source: Source, spec: WeightSpec) -> Choice:
    words = (spec.name, f"×{spec.scale}", spec.license)
    return Choice(source, spec.scale, ", ".join(word for word in words if word))


def _spec(path: Path) -> WeightSpec:
    from kornia_srgan.weights.foreign import import_weights, is_foreign

    return _checked(import_weights(path).spec if is_foreign(path) else read_spec(path), str(path))


def _checked(spec: WeightSpec, where: str) -> WeightSpec:
    if spec.kind != "generator":
        raise WeightsError(f"{where} holds a {spec.kind} ('{spec.name}'), expected a generator")
    return spec


def _free(label: str, path: Path, taken: Choices) -> str:
    """The label; with the folder, or a number, where another has it."""
    wanted = [label, f"{path.parent.name}/{label}"]
    numbered = (f"{label} ({number})" for number in range(2, len(taken) + 3))
    return next(name for name in (*wanted, *numbered) if name not in taken)

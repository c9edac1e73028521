"""The available weights by their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kornia_srgan.errors import UserError, WeightsError
from kornia_srgan.weights.files import read_spec
from kornia_srgan.weights.locate import DEFAULT_WEIGHTS, locate_weights, zoo_names
from kornia_srgan.weights.spec import WeightSpec, in_words

Source = str | Path


@dataclass(frozen=True)
class Choice:
    """Weights to choose.

    Attributes:
        source: A source for `load_generator`.
        scale: Their scale.
        text: A short description.
    """

    source: Source
    scale: int
    text: str


Choices = Mapping[str, Choice]
"""By label, in the order of the list; the first is chosen when the page opens."""


def choices_of(given: Sequence[str], *, photographs: bool = False) -> Choices:
    """The weights of the command line, then the packaged ones, the default first.

    Args:
        given: Names and files.
        photographs: Refuse weights for other data.

    Raises:
        WeightsError: If weights do not exist, are damaged or refused, or there are none at all.
    """
    packaged = sorted(zoo_names(), key=lambda name: (name != DEFAULT_WEIGHTS, name))
    found: dict[str, Choice] = {}
    for source in (*given, *(name for name in packaged if name not in given)):
        path = locate_weights(source)
        label = source if source in packaged or str(source).startswith("hf-hub:") else path.name
        spec = _spec(path)
        if photographs:
            _check_photographs(spec, str(path))
        found[_free(label, path, found)] = _choice(source, spec)
    if not found:
        raise WeightsError("this installation has no packaged weights; give a file with --weights")
    return found


def with_upload(choices: Choices, path: Path) -> tuple[str, Choices]:
    """Add an uploaded weight file; return its label and all choices.

    Raises:
        WeightsError: If it is not a weight file of a generator for photographs.
    """
    try:
        spec = _checked(read_spec(path), path.name)
        _check_photographs(spec, path.name)
        choice = _choice(path, spec)
    except WeightsError as error:  # the folder is ours and tells the user nothing
        raise WeightsError(str(error).replace(str(path), path.name), where=path.name) from None
    label = _free(path.name, path, choices)
    return label, {**choices, label: choice}


def find_choice(choices: Choices, label: str | None) -> Choice:
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
        raise WeightsError(f"{where} holds a {spec.kind} ('{spec.name}'), expected a generator", where=where)
    return spec


def _check_photographs(spec: WeightSpec, where: str) -> None:
    if spec.data_range or spec.channels not in (1, 3):
        kind = in_words(spec.channels, spec.data_range)
        raise WeightsError(
            f"{where} is for images of {kind}, and the page shows photographs; "
            "use `kornia-srgan upscale` or `serve`",
            where=where,
        )


def _free(label: str, path: Path, taken: Choices) -> str:
    """The label; with the folder, or a number, where another has it."""
    wanted = [label, f"{path.parent.name}/{label}"]
    numbered = (f"{label} ({number})" for number in range(2, len(taken) + 3))
    return next(name for name in (*wanted, *numbered) if name not in taken)

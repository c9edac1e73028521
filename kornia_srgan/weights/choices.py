"""The weights that a page or a server offers, by their labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.files import read_spec
from kornia_srgan.weights.locate import DEFAULT_WEIGHTS, locate_weights, zoo_names
from kornia_srgan.weights.spec import WeightSpec

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
"""By label, in the order of the list; the first is the default."""

Check = Callable[[WeightSpec, str], None]
"""Raises a `WeightsError` for weights that are not offered; it gets their description and their name."""


def choices_of(given: Sequence[str], *, check: Check | None = None) -> Choices:
    """The weights of the command line, then the packaged ones, the default first.

    Args:
        given: Names and files.
        check: Refuses weights, in addition to those of other networks than generators.

    Raises:
        WeightsError: If weights do not exist, are damaged or refused, or there are none at all.
    """
    packaged = sorted(zoo_names(), key=lambda name: (name != DEFAULT_WEIGHTS, name))
    found: dict[str, Choice] = {}
    for source in (*given, *(name for name in packaged if name not in given)):
        path = locate_weights(source)
        label = source if source in packaged or str(source).startswith("hf-hub:") else path.name
        spec = _spec(path)
        if check is not None:
            check(spec, str(path))
        found[free_label(label, path, found)] = choice_of(source, spec)
    if not found:
        raise WeightsError(
            "this installation has no packaged weights; give a file with --weights", where="--weights"
        )
    return found


def choice_of(source: Source, spec: WeightSpec) -> Choice:
    """Weights and what is said of them."""
    words = (spec.name, f"×{spec.scale}", spec.license)
    return Choice(source, spec.scale, ", ".join(word for word in words if word))


def _spec(path: Path) -> WeightSpec:
    from kornia_srgan.weights.foreign import import_weights, is_foreign

    return checked_generator(import_weights(path).spec if is_foreign(path) else read_spec(path), str(path))


def checked_generator(spec: WeightSpec, where: str) -> WeightSpec:
    """The description, if it is of a generator.

    Raises:
        WeightsError: If it is of another network.
    """
    if spec.kind != "generator":
        raise WeightsError(f"{where} holds a {spec.kind} ('{spec.name}'), expected a generator", where=where)
    return spec


def free_label(label: str, path: Path, taken: Choices) -> str:
    """The label; with the folder, or a number, where another has it."""
    wanted = [label, f"{path.parent.name}/{label}"]
    numbered = (f"{label} ({number})" for number in range(2, len(taken) + 3))
    return next(name for name in (*wanted, *numbered) if name not in taken)

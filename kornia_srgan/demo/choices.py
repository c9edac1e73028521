"""The weights that the page offers: those for photographs, and what is uploaded."""

from __future__ import annotations

from pathlib import Path

from kornia_srgan.errors import UserError, WeightsError
from kornia_srgan.weights.choices import Choice, Choices, checked_generator, choice_of, free_label
from kornia_srgan.weights.files import read_spec
from kornia_srgan.weights.spec import WeightSpec, describe_channels


def check_photographs(spec: WeightSpec, where: str) -> None:
    """Refuse weights for other data than photographs.

    Raises:
        WeightsError: If they are for another number of channels, or for values of a stated range.
    """
    if spec.data_range or spec.channels not in (1, 3):
        kind = describe_channels(spec.channels, spec.data_range)
        raise WeightsError(
            f"{where} is for images of {kind}, and the page shows photographs; "
            "use `kornia-srgan upscale` or `serve`",
            where=where,
        )


def with_upload(choices: Choices, path: Path) -> tuple[str, Choices]:
    """Add an uploaded weight file; return its label and all choices.

    Raises:
        WeightsError: If it is not a weight file of a generator for photographs.
    """
    try:
        spec = checked_generator(read_spec(path), path.name)
        check_photographs(spec, path.name)
        choice = choice_of(path, spec)
    except WeightsError as error:  # the folder is ours and tells the user nothing
        raise WeightsError(str(error).replace(str(path), path.name), where=path.name) from None
    label = free_label(path.name, path, choices)
    return label, {**choices, label: choice}


def find_choice(choices: Choices, label: str | None) -> Choice:
    """The weights of a label.

    Raises:
        UserError: If there are none.
    """
    if label is None or label not in choices:
        raise UserError(f"there are no weights called '{label}' here; choose some from the list", where=label)
    return choices[label]

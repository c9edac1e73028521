"""What options of `kornia-srgan upscale` mean for clips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kornia_srgan.inference.recipe import Recipe
    from kornia_srgan.photos.formats import Format


def identity_of(recipe: Recipe) -> dict[str, str]:
    """What frames depend on, for a run that goes on: weights by their content, not their name."""
    import hashlib

    from kornia_srgan.atomic import sha256_of
    from kornia_srgan.weights.locate import DEFAULT_WEIGHTS, locate_weights

    family = recipe.family
    members = () if family is None else (family.clean, family.photo, family.gan)
    digest = hashlib.sha256()
    for source in (*(recipe.sources or (DEFAULT_WEIGHTS,)), *filter(None, members)):
        digest.update(bytes.fromhex(sha256_of(locate_weights(source))))
    wrapped = recipe.interpolate and recipe.interpolate[2], recipe.ensemble, recipe.color_fix, recipe.sharp
    return {"weights": digest.hexdigest(), "treatment": " ".join(map(str, wrapped))}


def container_meant(file_format: str | None) -> str | None:
    """The container that `--format` names; None if it names none."""
    from kornia_srgan.video.options import VIDEO_SUFFIXES

    named = "" if file_format is None else file_format.lower().removeprefix(".")
    return named if f".{named}" in VIDEO_SUFFIXES else None


def picture_format(
    file_format: str | None, clips: Sequence[str], pictures: Sequence[str], output: Path
) -> Format | None:
    """The format of pictures that `--format` names; None if it names none, or the container of videos.

    Raises:
        UserError: If there is no such format, or nothing that it could be for.
    """
    from kornia_srgan.errors import UserError
    from kornia_srgan.photos.formats import named_format
    from kornia_srgan.video.options import is_sequence

    if file_format is None or (clips and not pictures and container_meant(file_format)):
        return None
    form = named_format(file_format)
    if clips and not pictures and not (is_sequence(output) and output.suffix.lower() in form.suffixes):
        raise UserError(
            f"--format {file_format} is for pictures: give a container, such as mp4, or -o "
            f"FOLDER/%05d{form.suffixes[0]} for single frames",
            where="format",
        )
    return form

"""Finds weights by packaged name, path or Hub address. Imports no torch."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from kornia_srgan.errors import WeightsError, WeightsNotFoundError, did_you_mean

DEFAULT_WEIGHTS = "photo-x4"
"""For typical photographs; supports `restore`."""

CLEAN_WEIGHTS = "srresnet-x4"
"""For clean pictures: the default of `evaluate` and of Kornia modules."""

SUFFIX = ".safetensors"


def zoo_names() -> list[str]:
    """The names of the packaged weights, sorted."""
    return sorted(_zoo())


def locate_weights(source: str | Path) -> Path:
    """Find the file of some weights.

    Args:
        source: A packaged name (`edsr-x4`; case and `-`/`_` do not matter), the path of a file,
            `hf-hub:owner/name[/file][@revision]`, or `omdb:NAME` (a model of OpenModelDB). Files are
            downloaded once. A packaged name has priority over a file of that name; write `./edsr-x4` for the
            file.

    Raises:
        WeightsError: If there is no such name or file; it lists the closest and all packaged names.
        OfflineError: If the file must be downloaded and the network cannot be reached.
    """
    if str(source).startswith("hf-hub:"):
        from kornia_srgan.weights.hub import fetch_from_hub

        return fetch_from_hub(str(source))
    if str(source).startswith("omdb:"):
        from kornia_srgan.weights.download import fetch_community

        return fetch_community(str(source))
    if isinstance(source, str):
        packaged = _zoo().get(source.strip().lower().replace("_", "-"))
        if packaged is not None:
            return packaged
    path = Path(source).expanduser()
    if path.is_dir():
        inside = ", ".join(sorted(p.name for p in path.glob(f"*{SUFFIX}")))
        if not inside:
            raise WeightsError(
                f"weights {path} is a folder without a {SUFFIX} file; give the path of one", where=path
            )
        raise WeightsError(f"weights {path} is a folder; give the file in it: {inside}", where=path)
    if not path.exists():
        raise weights_not_found(source)
    return path


def weights_not_found(source: str | Path) -> WeightsNotFoundError:
    """The error for weights that do not exist, with the packaged names."""
    names = zoo_names()
    hint = did_you_mean(str(source).lower().replace("_", "-").removesuffix(SUFFIX), names)
    return WeightsNotFoundError(
        f"weights '{source}' not found{hint or ';'} packaged: {', '.join(names) or 'none'}; "
        f"or give the path of a {SUFFIX} file",
        where=source,
    )


def _zoo() -> dict[str, Path]:
    folder = Path(str(files("kornia_srgan.zoo")))
    return {p.stem.lower().replace("_", "-"): p for p in folder.glob(f"*{SUFFIX}")}

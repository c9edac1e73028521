"""Folders of images that were enlarged by other tools."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kornia_srgan.errors import DataError
from kornia_srgan.evaluation.datasets import EvalSet, images_in


class ImageFolder:
    """Enlarged images, matched to HR images by name.

    A file belongs to the HR image whose name it begins with: `baby.png`, `babyx4.png` and `baby_SwinIR.png`
    all belong to `baby`. Sets and levels may have subfolders.

    Args:
        name: The name of its row.
        folder: The folder `DIR`; images are in `DIR` or `DIR/SET`, and with levels in `DIR/LEVEL` or
            `DIR/SET/LEVEL`.

    Raises:
        DataError: If there is no such folder.
    """

    def __init__(self, name: str, folder: str | Path) -> None:
        self.name, self.folder = name, Path(folder)
        if not self.folder.is_dir():
            problem = "is a file, not a folder" if self.folder.exists() else "does not exist"
            raise DataError(f"images {name}: {self.folder} {problem}", where=self.folder)

    def pair(self, found: EvalSet, level: str = "") -> dict[str, Path]:
        """Find the file for every image of a set.

        Args:
            found: The set.
            level: The level of a protocol that has levels.

        Raises:
            DataError: If an image is missing or ambiguous.
        """
        places = self._places(found.name, level)
        folder = next((place for place in places if place.is_dir() and images_in(place, results=True)), None)
        if folder is None:
            wanted = " or ".join(str(place) for place in places)
            raise DataError(
                f"images {self.name}: no images for {found.name} {level}".rstrip() + f" in {wanted}",
                where=self.folder,
            )
        files = _by_image([image.name for image in found.images], images_in(folder, results=True))
        missing = [image.name for image in found.images if not files.get(image.name)]
        if missing:
            raise DataError(
                f"images {self.name}: {folder} has no image for {missing[0]} of {found.name} "
                f"({len(missing)} of {len(found.images)} missing); names begin with the HR image's",
                where=folder,
            )
        for image, candidates in files.items():
            if len(candidates) > 1:
                both = ", ".join(path.name for path in candidates[:3])
                raise DataError(
                    f"images {self.name}: {folder} has several images for {image}: {both}", where=folder
                )
        return {image: candidates[0] for image, candidates in files.items()}

    def _places(self, dataset: str, level: str) -> list[Path]:
        """The possible folders of the images, most specific first."""
        if level:
            return [self.folder / dataset / level, self.folder / level]
        return [self.folder / dataset, self.folder]


def _by_image(names: Iterable[str], files: Iterable[Path]) -> dict[str, list[Path]]:
    """The files that belong to each image; an exact name has priority."""
    known = sorted(names, key=len, reverse=True)
    found: dict[str, list[Path]] = {}
    for path in files:
        owner = next((name for name in known if _belongs(path.stem.lower(), name.lower())), None)
        if owner is not None:
            found.setdefault(owner, []).append(path)
    exact = {name: [p for p in paths if p.stem.lower() == name.lower()] for name, paths in found.items()}
    return {name: exact[name] or paths for name, paths in found.items()}


def _belongs(stem: str, name: str) -> bool:
    return stem == name or (stem.startswith(name) and stem[len(name)] in "_-x.")

"""Finds HR and LR images in the layouts of benchmarks.

- `SET/*.png`: HR images only; LR is made from them.
- `SET/HR/*` with `SET/LRx4/*` (also `GT`, `original`; `LR_bicubic/X4`, `LR/x4`, `X4`, `LR`, ...).
- `SET/*_SRF_4_HR.png` beside `SET/*_SRF_4_LR.png`, possibly below `image_SRF_4/`.
- `SET_HR/` beside `SET_LR_bicubic/X4/` (DIV2K; of several splits the one for validation).
- `*_HR.png` beside `*_LR4.png` (RealSR version 3).
- A folder of such sets.

The name of a known set (see `known_sets`) works instead of a folder.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from kornia_srgan.errors import DataError
from kornia_srgan.evaluation.known_sets import locate_set
from kornia_srgan.photos.pair_names import lr_stem

logger = logging.getLogger("kornia_srgan")

_HR_NAMES = ("hr", "gt", "gtmod12", "original", "hr_images", "target")
_SRF = re.compile(r"^(?P<stem>.+)_SRF_(?P<scale>\d+)_(?P<kind>HR|LR)$", re.IGNORECASE)
_REALSR = re.compile(r"^(?P<stem>.+)_(?P<kind>HR|LR(?P<scale>\d+))$", re.IGNORECASE)


SizeOf: TypeAlias = Callable[[Path], "tuple[int, int] | None"]


@dataclass(frozen=True)
class EvalImage:
    """One HR image and, if the set has it, its LR image."""

    name: str
    hr: Path
    lr: Path | None = None


@dataclass(frozen=True)
class EvalSet:
    """A named set of images for one scale."""

    name: str
    scale: int
    images: tuple[EvalImage, ...]

    @property
    def lr_source(self) -> str:
        """The source of LR images: `files`, or `matlab_bicubic` if they are made."""
        return "files" if self.images[0].lr else "matlab_bicubic"


def find_sets(folder: str | Path, scale: int, *, arrays: bool = False) -> list[EvalSet]:
    """The sets in a folder, or the folder as one set.

    Args:
        folder: A set, a folder of sets, or the name of a known set.
        scale: The scale of LR images to use; other scales are ignored.
        arrays: `.npy` files are images too.

    Raises:
        DataError: If the folder is missing or holds no images, or an LR folder lacks an image.
    """
    folder = locate_set(folder)
    if not folder.is_dir():
        problem = "is a file; give the folder it is in" if folder.exists() else "does not exist"
        raise DataError(f"evaluation folder {folder} {problem}", where=folder)
    found = _one_set(folder, scale, arrays)
    if found:
        return [found]
    sets = [s for child in _sets_in(folder) if (s := _one_set(child, scale, arrays))]
    if not sets:
        raise DataError(
            f"no images in {folder}; expected HR images, or HR/ with LRx{scale}/, or a folder of such sets",
            where=folder,
        )
    return sets


def check_sizes(found: EvalSet, smallest: int, size_of: SizeOf | None = None) -> None:
    """Check that no image is too small, before any work.

    Args:
        found: The set.
        smallest: The smallest side that can be scored.
        size_of: Width and height of a file; by default `picture_size`.

    Raises:
        DataError: If an HR image is smaller; it names the first, and how many there are.
    """
    size_of = size_of or picture_size
    sizes = {image.hr: size_of(image.hr) for image in found.images}
    small = [(path, size) for path, size in sizes.items() if size and min(size) < smallest]
    if small:
        path, (width, height) = small[0]
        others = f"; {len(small)} of {len(found.images)} images are too small" if len(small) > 1 else ""
        raise DataError(
            f"{path} is too small to score at x{found.scale}: it has {width}x{height} pixels, "
            f"at least {smallest}x{smallest} are needed{others}",
            where=path,
        )


def picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height by a file's header, as it is stored; None where only reading the whole can tell."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except Exception:  # damaged files raise anything; the reader names them
        return None


def _one_set(folder: Path, scale: int, arrays: bool) -> EvalSet | None:
    from_suffixes = _srf_set(folder, scale, arrays) or _realsr_set(folder, scale, arrays)
    if from_suffixes:
        return from_suffixes
    hr_folder = _hr_folder(folder)
    if hr_folder is not None:
        lr_folder = next(
            (f for f in _lr_folders(folder, hr_folder, scale) if images_in(f, arrays=arrays)), None
        )
        images = images_in(hr_folder, arrays=arrays)
    else:
        lr_folder = None
        images = images_in(folder, arrays=arrays)
    if not images:
        return None
    by_stem = _by_stem(images_in(lr_folder, arrays=arrays), scale) if lr_folder else {}
    missing = [p.name for p in images if by_stem and p.stem.lower() not in by_stem]
    if missing:
        raise DataError(
            f"{lr_folder} has no LR image for {missing[0]} ({len(missing)} of {len(images)} missing)",
            where=lr_folder,
        )
    pairs = tuple(EvalImage(p.stem, p, by_stem.get(p.stem.lower())) for p in images)
    return EvalSet(_set_name(folder), scale, pairs)


def _set_name(folder: Path) -> str:
    """The folder's name, or its parent's where the folder is a set's HR; `Test 4`, not `4`."""
    folder = folder.resolve()
    if folder.name.lower() in _HR_NAMES and folder.parent.name:
        return folder.parent.name
    return f"{folder.parent.name} {folder.name}" if folder.name.isdigit() else folder.name


def _srf_set(folder: Path, scale: int, arrays: bool) -> EvalSet | None:
    """A set whose file names carry scale and kind, in the folder or its `image_SRF_<scale>`."""
    below = folder / f"image_SRF_{scale}"
    files = images_in(below if below.is_dir() else folder, arrays=arrays)
    found: dict[str, dict[str, Path]] = {}
    for path in files:
        match = _SRF.match(path.stem)
        if match and int(match["scale"]) == scale:
            found.setdefault(match["stem"], {})[match["kind"].upper()] = path
    images = tuple(
        EvalImage(stem, kinds["HR"], kinds.get("LR"))
        for stem, kinds in sorted(found.items())
        if "HR" in kinds
    )
    return EvalSet(_set_name(folder), scale, images) if images else None


def _realsr_set(folder: Path, scale: int, arrays: bool) -> EvalSet | None:
    """A set whose files end in `_HR` and `_LR<scale>`, side by side; HR alone if LR is of another scale."""
    hr: dict[str, Path] = {}
    lr: dict[int, dict[str, Path]] = {}
    for path in images_in(folder, arrays=arrays):
        if match := _REALSR.match(path.stem):
            home = lr.setdefault(int(match["scale"]), {}) if match["scale"] else hr
            home[match["stem"]] = path
    if not (hr and lr):
        return None
    mine = lr.get(scale, {})
    single = [path for stem, path in {**mine, **hr}.items() if (stem in mine) != (stem in hr)] if mine else []
    if single:
        raise DataError(
            f"{single[0]} has no partner in {folder}; {len(single)} of "
            f"{len({**mine, **hr})} images have none",
            where=folder,
        )
    return EvalSet(
        _set_name(folder), scale, tuple(EvalImage(stem, hr[stem], mine.get(stem)) for stem in sorted(hr))
    )


def _hr_folder(folder: Path) -> Path | None:
    """The folder of HR images; where there are several splits, that for validation or test."""
    found = [f for f in _folders(folder) if _is_hr_folder(f.name)]
    held_out = [f for f in found if "train" not in f.name.lower()]
    return next(iter([*held_out, *found]), None)


def _is_hr_folder(name: str) -> bool:
    return name.lower() in _HR_NAMES or name.lower().endswith(("_hr", "-hr"))


def _lr_folders(folder: Path, hr_folder: Path, scale: int) -> Iterator[Path]:
    """Where the LR images of this scale may be, most explicit first."""
    explicit = (
        f"lrx{scale}",
        f"x{scale}",
        f"lrbicubicx{scale}",
        f"bicubicx{scale}",
        f"lrbicx{scale}",
        f"lr{scale}x",
    )
    children = [f for f in _folders(folder) if f != hr_folder]
    split = re.sub(r"[_-]?hr$", "", hr_folder.name.lower())
    children = [f for f in children if split and f.name.lower().startswith(split)] or children
    for child in children:
        plain = re.sub(r"[^a-z0-9]", "", child.name.lower())
        if plain.endswith(explicit) or plain == f"{scale}x":
            yield child
    lr_like = [
        f for f in children if f.name.lower() in ("lr", "lq") or "lr" in re.split(r"[_\W]", f.name.lower())
    ]
    for child in lr_like:
        inner = [f for f in _folders(child) if f.name.lower() in (f"x{scale}", f"lrx{scale}", f"{scale}x")]
        yield from inner
        if not inner:
            yield child


def _by_stem(files: list[Path], scale: int) -> dict[str, Path]:
    """LR files by the HR stem they belong to: `babyx4`, `baby_x4`, `baby_LR`, `baby` all give `baby`."""
    stripped = {lr_stem(p.stem, scale): p for p in files}
    return stripped | {p.stem.lower(): p for p in files}


def _folders(folder: Path) -> list[Path]:
    """Its folders, Set5 before Set14."""
    folders = [f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")]
    return sorted(folders, key=lambda f: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", f.name)])


def _sets_in(folder: Path) -> list[Path]:
    """Its folders without those that a training run or `upscale` left behind, which the log names."""
    from kornia_srgan.photos.find import is_output_folder

    folders = _folders(folder)
    ours = [str(f) for f in folders if is_output_folder(f)]
    if ours:
        logger.warning("left out as results of this program: %s", ", ".join(ours))
    return [f for f in folders if str(f) not in ours]


def images_in(folder: Path, *, results: bool = False, arrays: bool = False) -> list[Path]:
    """The images directly in a folder.

    Args:
        folder: The folder.
        results: Results of `upscale` among others count, because they are what is judged.
        arrays: `.npy` files count.
    """
    from kornia_srgan.photos.find import find_files, looks_like_picture

    def wanted(path: Path) -> bool:
        return (arrays and path.suffix.lower() == ".npy") or looks_like_picture(path)

    return list(find_files(folder, wanted, recursive=False, results=results).files)

"""Finds pairs of HR and LR images, matches them by name and checks their sizes."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from kornia_srgan.data.crop_decoding import ImageFile
from kornia_srgan.data.pixels import RGB, PixelFormat
from kornia_srgan.data.scan import scan_headers
from kornia_srgan.data.shards import Failures, Located, locate_images
from kornia_srgan.errors import ConfigError, DataError
from kornia_srgan.photos.pair_names import hr_stem, lr_stem, side_of

logger = logging.getLogger("kornia_srgan")

PairFolders: TypeAlias = tuple[str | Path, str | Path]
"""Where HR images are and where the LR images are: folders or tar archives; may be the same one twice."""

_NAMED = 3


@dataclass(frozen=True)
class LocatedPair:
    """An encoded HR image and its LR image."""

    hr: Located
    lr: Located


@dataclass(frozen=True)
class MatchedPairs:
    """The pairs of two folders, and the images without a partner.

    Attributes:
        pairs: In the order of the HR images.
        without_lr: HR images that have no LR image.
        without_hr: LR images that have no HR image.
        failures: Archives that cannot be read, with the reason.
    """

    pairs: tuple[LocatedPair, ...]
    without_lr: tuple[Located, ...] = ()
    without_hr: tuple[Located, ...] = ()
    failures: tuple[tuple[Path, str], ...] = ()


def open_pairs(
    folders: Iterable[PairFolders], *, scale: int, crop: int, pixels: PixelFormat = RGB
) -> tuple[list[ImageFile], Failures]:
    """Find all pairs in folders and check their sizes by their headers.

    Args:
        folders: One or more folders of HR images, each with its folder of LR images.
        scale: The scale between LR and HR.
        crop: Side of an HR crop.
        pixels: How files are read.

    Returns:
        The HR images with their LR images; and the files with an unreadable header, with the reason.

    Raises:
        DataError: If a folder is missing or has no pair, or an LR image is missing or has the wrong size.
        ConfigError: If the crop is not a multiple of the scale.
    """
    if crop % scale:
        raise ConfigError(
            f"crops of {crop} pixels are not a multiple of scale {scale}, which pairs need", where="crop"
        )
    files: list[ImageFile] = []
    failures: list[tuple[Path, str]] = []
    for hr, lr in folders:
        matched = match_pairs(Path(hr), Path(lr), scale, pixels)
        failures += matched.failures
        if matched.without_lr:
            raise DataError(_missing(matched, hr, lr), where=hr)
        if matched.without_hr:
            logger.warning("left out of the pairs, no HR image in '%s': %s", hr, _names(matched.without_hr))
        found, broken = _with_sizes(matched.pairs, scale, pixels)
        files += found
        failures += broken
        if not found:
            raise DataError(
                f"none of the pairs in '{hr}' and '{lr}' can be read, for example {broken[0][1]}", where=hr
            )
    return files, failures


def match_pairs(hr: Path, lr: Path, scale: int, pixels: PixelFormat = RGB) -> MatchedPairs:
    """Find the LR image of every HR image by name, with the rules of `evaluate`.

    The LR image of `0001.png` is `0001.png`, `0001x4.png`, `0001_LR4.jpg` or similar, in the subfolder of the
    same name. If there is no such subfolder, a single match anywhere is used. If HR and LR share a folder or
    archive, their names tell them apart: `0001_HR.png` and `0001_LR4.png`, or `0001.hr.png` and `0001.lr.png`
    in a webdataset shard.

    Raises:
        DataError: If a folder is missing or has no image, or the names are ambiguous.
    """
    together = hr.resolve() == lr.resolve()
    large, broken = locate_images(hr, pixels)
    if together:
        sides = [side_of(PurePosixPath(image.name).stem, scale) for image in large]
        small = [image for image, side in zip(large, sides, strict=True) if side == "lr"]
        large = [image for image, side in zip(large, sides, strict=True) if side == "hr"]
        if not (small and large):
            raise DataError(
                f"no pairs in '{hr}'; in one folder for both, names end in _HR and _LR{scale}, "
                "or .hr and .lr before the suffix",
                where=hr,
            )
    else:
        small, more = locate_images(lr, pixels)
        broken += more
        large, small = _apart(hr, large, lr), _apart(lr, small, hr)
    return _match(_Names(hr, large), _Names(lr, small), scale, tuple(broken))


def _apart(folder: Path, images: Sequence[Located], other: Path) -> list[Located]:
    """The images of a folder, without those of another folder inside it."""
    inner = other.resolve()
    if folder.resolve() not in inner.parents:
        return list(images)
    return [x for x in images if inner != x.path.resolve() and inner not in x.path.resolve().parents]


@dataclass(frozen=True)
class _Names:
    """The images of one side (HR or LR) below a root."""

    root: Path
    images: Sequence[Located]

    def __iter__(self) -> Iterator[tuple[Located, str, str]]:
        """Yield each image with its subfolder and its stem, both in lower case."""
        for image in self.images:
            path = image.path.relative_to(self.root) if image.path != self.root else Path()
            if not image.member:
                yield image, path.parent.as_posix().lower(), image.path.stem.lower()
            else:
                member = PurePosixPath(image.member)
                yield image, (PurePosixPath(path) / member.parent).as_posix().lower(), member.stem.lower()


def _match(hr: _Names, lr: _Names, scale: int, failures: tuple[tuple[Path, str], ...]) -> MatchedPairs:
    exact: dict[tuple[str, str], list[Located]] = defaultdict(list)
    placed: dict[tuple[str, str], list[Located]] = defaultdict(list)
    anywhere: dict[str, list[Located]] = defaultdict(list)
    for image, folder, stem in lr:
        exact[folder, stem].append(image)
        placed[folder, lr_stem(stem, scale)].append(image)
        anywhere[lr_stem(stem, scale)].append(image)
    pairs: list[LocatedPair] = []
    without: list[Located] = []
    owners: dict[Located, Located] = {}
    for image, folder, stem in hr:
        plain = hr_stem(stem)
        lonely = anywhere.get(plain, []) if len(anywhere.get(plain, [])) == 1 else []
        found = exact.get((folder, stem)) or placed.get((folder, plain)) or lonely
        if not found:
            without.append(image)
            continue
        if len(found) > 1:
            raise DataError(f"several LR images for '{image.name}': {_names(found)}", where=image.name)
        if found[0] in owners:
            raise DataError(
                f"'{found[0].name}' is the LR image of both '{owners[found[0]].name}' and '{image.name}'",
                where=found[0].name,
            )
        owners[found[0]] = image
        pairs.append(LocatedPair(image, found[0]))
    unused = tuple(image for image in lr.images if image not in owners)
    return MatchedPairs(tuple(pairs), tuple(without), unused, failures)


def _with_sizes(
    pairs: Sequence[LocatedPair], scale: int, pixels: PixelFormat
) -> tuple[list[ImageFile], Failures]:
    large, failures = scan_headers([pair.hr for pair in pairs], pixels)
    small, more = scan_headers([pair.lr for pair in pairs], pixels)
    lr_of = {f.located: f for f in small}
    lr_name = {pair.hr: pair.lr for pair in pairs}
    files = [
        replace(f, lr=lr_of[lr_name[f.located]], grid=scale) for f in large if lr_name[f.located] in lr_of
    ]
    wrong = [f for f in files if not has_right_size(f)]
    if wrong:
        raise DataError(
            f"{len(wrong)} of {len(pairs)} LR images have the wrong size for x{scale}: "
            + "; ".join(wrong_size(f) for f in wrong[:_NAMED])
            + ("; ..." if len(wrong) > _NAMED else ""),
            where=wrong[0].located.name,
        )
    return files, failures + more


def has_right_size(file: ImageFile) -> bool:
    """Whether LR has the size of HR divided by the scale, rounded down; EXIF may rotate one of them."""
    assert file.lr is not None
    height, width = file.height // file.grid, file.width // file.grid
    return (file.lr.height, file.lr.width) in ((height, width), (width, height))


def wrong_size(file: ImageFile) -> str:
    """A message with the size that the LR image has and the one that it should have."""
    assert file.lr is not None
    return (
        f"'{file.lr.located.name}' has {file.lr.width}x{file.lr.height} pixels, '{file.located.name}' "
        f"needs {file.width // file.grid}x{file.height // file.grid}"
    )


def _missing(matched: MatchedPairs, hr: str | Path, lr: str | Path) -> str:
    count, everything = len(matched.without_lr), len(matched.without_lr) + len(matched.pairs)
    spare = f"; without an HR image: {_names(matched.without_hr)}" if matched.without_hr else ""
    verb = "has" if count == 1 else "have"
    return (
        f"{count} of {everything} HR images in '{hr}' {verb} no LR image in '{lr}': "
        f"{_names(matched.without_lr)}{spare}"
    )


def _names(images: Sequence[Located]) -> str:
    more = f" and {len(images) - _NAMED} more" if len(images) > _NAMED else ""
    return ", ".join(str(image.name) for image in images[:_NAMED]) + more

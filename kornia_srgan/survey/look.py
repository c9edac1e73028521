"""Inspects every image and every pair before training."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from kornia_srgan.data.images import read_rgb
from kornia_srgan.data.pairs import LocatedPair, MatchedPairs, match_pairs
from kornia_srgan.data.shards import Located, locate_images
from kornia_srgan.errors import ImageError
from kornia_srgan.photos.header import open_image, peek_header
from kornia_srgan.photos.jpeg_quality import jpeg_quality
from kornia_srgan.processor import usable_processors
from kornia_srgan.survey.findings import MEANINGS, AlignedPair, Problem, Survey, SurveyedImage
from kornia_srgan.survey.measure import measure_detail
from kornia_srgan.survey.shift import measure_shift

_BLOCKS = 1.3
_LITTLE_IN_COMMON = 1.5


@dataclass(frozen=True)
class Limits:
    """The limits beyond which something is a problem.

    Attributes:
        crop: Side of an HR crop; smaller images are reported. For LR images it is divided by the scale.
        scale: The scale between LR and HR.
        quality: JPEGs of lower quality are reported.
        shift: Pairs that are shifted by this many HR pixels or more are reported.
    """

    crop: int = 96
    scale: int = 4
    quality: int = 75
    shift: float = 1.0


def survey_images(
    folders: Sequence[Path],
    pairs: Sequence[tuple[Path, Path]] = (),
    *,
    limits: Limits | None = None,
    threads: int | None = None,
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> Survey:
    """Inspect all images in folders and archives, and all pairs.

    Args:
        folders: Folders of HR images.
        pairs: Folders of HR images, each with its folder of LR images.
        limits: The limits; None for the defaults.
        threads: How many images are looked at together; None for as many as the process has processors.
        on_image: Called with the number of images and pairs that are done, and their total.

    Raises:
        DataError: If a folder is missing or has no image, or the names of pairs are ambiguous.
    """
    limits = limits or Limits()
    problems: list[Problem] = []
    wanted: dict[Located, int] = {}  # with the side of a crop
    for folder in folders:
        located, broken = locate_images(folder)
        wanted |= dict.fromkeys(located, limits.crop)
        problems += [Problem("unreadable", str(path), why) for path, why in broken]
    matched = [match_pairs(hr, lr, limits.scale) for hr, lr in pairs]
    for found in matched:
        wanted |= {pair.hr: limits.crop for pair in found.pairs}
        problems += _partners(found)
    both = [pair for found in matched for pair in found.pairs]
    small = {pair.lr: limits.crop // limits.scale for pair in both}
    total = len(wanted) + len(small) + len(both)
    done = itertools.count(1)
    pictures: list[SurveyedImage] = []
    aligned: list[AlignedPair] = []
    with ThreadPoolExecutor(threads or usable_processors()) as pool:
        looks = (
            pool.map(partial(_look_at, limits=limits, judge=judge), images, images.values())
            for images, judge in ((wanted, True), (small, False))
        )
        for picture, found in itertools.chain.from_iterable(looks):
            pictures += [picture] if picture else []
            problems += found
            on_image(next(done), total)
        known = {picture.path for picture in pictures}
        whole = [pair for pair in both if {str(pair.hr.name), str(pair.lr.name)} <= known]
        for pair, found in pool.map(partial(_align, limits=limits), whole):
            aligned += [pair] if pair else []
            problems += found
            on_image(next(done), total)
    problems += _duplicates(pictures)
    kinds = list(MEANINGS)
    problems.sort(key=lambda problem: kinds.index(problem.kind))
    places = [str(f) for f in folders] + [str(f) for pair in pairs for f in dict.fromkeys(pair)]
    return Survey(tuple(places), tuple(pictures), tuple(aligned), tuple(problems))


def _look_at(
    image: Located, crop: int, *, limits: Limits, judge: bool
) -> tuple[SurveyedImage | None, list[Problem]]:
    """Facts about an image and its problems; sharpness is only judged for HR images."""
    name = str(image.name)
    try:
        data = _bytes(image.open())
        pixels = read_rgb(io.BytesIO(data), name)
        header = peek_header(data, name)
    except (ImageError, OSError) as error:
        reason = str(error).removeprefix(f"cannot read image '{name}': ")
        return None, [Problem("unreadable", name, reason)]
    height, width = pixels.shape[:2]
    quality = _quality(data)
    detail = measure_detail(pixels)
    picture = SurveyedImage(
        path=name,
        format=header.format if header else "",
        mode=header.mode if header else "",
        width=width,
        height=height,
        quality=quality,
        enlarged=detail.enlarged,
        blocks=round(detail.blocks, 3),
        digest=hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16).hexdigest(),
    )
    found = []
    if min(height, width) < crop:
        found.append(Problem("small", name, f"{width}x{height} pixels, a crop has {crop}x{crop}"))
    if judge and detail.enlarged > 1:
        less = f"{round(width / detail.enlarged)}x{round(height / detail.enlarged)}"
        found.append(Problem("enlarged", name, f"{width}x{height} pixels, no finer than {less}"))
    if judge and quality is not None and quality < limits.quality:
        found.append(Problem("compressed", name, f"JPEG of quality {quality}"))
    elif judge and quality is None and detail.blocks > _BLOCKS:
        found.append(Problem("compressed", name, f"blocks of 8x8 stand out by {detail.blocks - 1:.0%}"))
    return picture, found


def _bytes(opened: Path | BinaryIO) -> bytes:
    return opened.read_bytes() if isinstance(opened, Path) else opened.read()


def _quality(data: bytes) -> int | None:
    if not data.startswith(b"\xff\xd8"):
        return None
    with open_image(data) as image:
        return jpeg_quality(image)


def _partners(found: MatchedPairs) -> list[Problem]:
    return [
        *(Problem("unreadable", str(path), why) for path, why in found.failures),
        *(Problem("no partner", str(image.name), "no LR image") for image in found.without_lr),
        *(Problem("no partner", str(image.name), "no HR image") for image in found.without_hr),
    ]


def _align(pair: LocatedPair, *, limits: Limits) -> tuple[AlignedPair | None, list[Problem]]:
    hr, lr = read_rgb(pair.hr.open(), pair.hr.name), read_rgb(pair.lr.open(), pair.lr.name)
    name, scale = str(pair.lr.name), limits.scale
    height, width = (side - side % scale for side in hr.shape[:2])
    if (lr.shape[0] * scale, lr.shape[1] * scale) != (height, width):
        has = f"{lr.shape[1]}x{lr.shape[0]} pixels, {pair.hr.name} at x{scale} needs"
        return None, [Problem("wrong size", name, f"{has} {width // scale}x{height // scale}")]
    shift = measure_shift(hr[:height, :width], lr)
    facts = AlignedPair(
        str(pair.hr.name), name, round(shift.right, 2), round(shift.down, 2), round(shift.trust, 3)
    )
    if shift.trust < _LITTLE_IN_COMMON:
        return facts, [Problem("shifted", name, f"has little in common with {pair.hr.name}")]
    if shift.length < limits.shift:
        return facts, []
    where = f"{shift.right:+.2f} to the right, {shift.down:+.2f} down, in HR pixels"
    return facts, [Problem("shifted", name, f"{where}, against {pair.hr.name}")]


def _duplicates(pictures: Iterable[SurveyedImage]) -> list[Problem]:
    first: dict[str, SurveyedImage] = {}
    found = []
    for picture in pictures:
        same = first.setdefault(picture.digest, picture)
        if same is not picture:
            found.append(Problem("duplicate", picture.path, f"the same as {same.path}"))
    return found

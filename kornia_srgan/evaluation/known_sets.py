"""Known test sets: where to get them, and whether a folder holds a complete copy.

Nothing is downloaded. The error for a missing set says where to get it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kornia_srgan.errors import DataError

VARIABLE = "KORNIA_SRGAN_DATA"
_PLACES = (".", "data", "datasets", "benchmarks", "eval")


@dataclass(frozen=True)
class KnownSet:
    """A published test set.

    Attributes:
        name: Its name in papers.
        aliases: Other names of folders, in lower case.
        count: Number of images.
        where: Where to get it.
        licence: Its licence or terms of use.
        digests: Known copies by the digest of their HR files (`files_digest`).
        bicubic: PSNR of MATLAB's bicubic in dB by scale, on Y without a border of `scale` pixels.
    """

    name: str
    count: int
    where: str
    licence: str
    aliases: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    bicubic: Mapping[int, float] = field(default_factory=dict)


_SIENA = "https://huggingface.co/datasets/eugenesiow/{0}/resolve/main/data/{0}_HR.tar.gz"
_SELFEX = "https://github.com/jbhuang0604/SelfExSR"
# Bicubic: Zhang et al. 2018 (RCAN), table 2. Digests of the archives' folders: those that deepinv checks.
KNOWN_SETS = (
    KnownSet(
        "Set5",
        5,
        _SELFEX,
        "research",
        digests={"b051eec1d471df25185bf479f3b44322": "SelfExSR"},
        bicubic={2: 33.66, 3: 30.39, 4: 28.42, 8: 24.40},
    ),
    KnownSet(
        "Set14",
        14,
        _SELFEX,
        "research",
        digests={"f7970736a88e1d6defd318410e372419": "SelfExSR"},
        bicubic={2: 30.24, 3: 27.55, 4: 26.00, 8: 23.10},
    ),
    KnownSet(
        "BSD100",
        100,
        _SIENA.format("BSD100"),
        "research",
        aliases=("b100", "bsds100", "bsd100_hr"),
        digests={"2288d442262c1c26343fda3b36f05b03": "eugenesiow/BSD100"},
        bicubic={2: 29.56, 3: 27.21, 4: 25.96, 8: 23.67},
    ),
    KnownSet(
        "Urban100",
        100,
        _SIENA.format("Urban100"),
        "research",
        aliases=("urban100_hr",),
        digests={"6e0640850d436a359e0a9baf5eabd27b": "eugenesiow/Urban100"},
        bicubic={2: 26.88, 3: 24.46, 4: 23.14, 8: 20.74},
    ),
    KnownSet(
        "Manga109",
        109,
        "http://www.manga109.org (on request)",
        "research, by agreement with its authors",
        aliases=("manga109_hr",),
        bicubic={2: 30.80, 3: 26.95, 4: 24.89, 8: 21.47},
    ),
    KnownSet(
        "DIV2K",
        100,
        "https://data.vision.ee.ethz.ch/cvl/DIV2K/DIV2K_valid_HR.zip",
        "research",
        aliases=("div2k_valid", "div2k_valid_hr", "div2k_val", "div2k100"),
        digests={"542325e500b0a474c7ad18bae922da72": "DIV2K's authors"},
    ),
)


def known_set(name: str) -> KnownSet | None:
    """Find a known set by its name or an alias."""
    plain = _plain(name)
    return next(
        (s for s in KNOWN_SETS if plain in (_plain(s.name), *(_plain(alias) for alias in s.aliases))), None
    )


def locate_set(source: str | Path) -> Path:
    """Find a folder by its path or by the name of a known set.

    A known set is searched in the folders of the environment variable `KORNIA_SRGAN_DATA` (separated as in
    `PATH`), in the current folder, and in `data`, `datasets`, `benchmarks` and `eval`.

    Raises:
        DataError: If a known set is in none of them; the message says where to get it.
    """
    path = Path(source)
    known = None if path.exists() or len(path.parts) > 1 else known_set(str(source))
    if known is None:
        return path
    places = [Path(p) for p in os.environ.get(VARIABLE, "").split(os.pathsep) if p]
    places += [Path(p) for p in _PLACES]
    for place in places:
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if folder.is_dir() and known_set(folder.name) is known:
                return folder
    raise DataError(
        f"{known.name} was not found (looked in {', '.join(map(str, places))}); get its {known.count} images "
        f"from {known.where} (licence: {known.licence}), unpack them, and give the folder, or set {VARIABLE} "
        "to the folder it is in",
        where=known.name,
    )


@dataclass(frozen=True)
class Check:
    """The check of a folder against a known set.

    Attributes:
        images: Number of images.
        digest: `files_digest` of the HR files.
        copy: The known copy that it equals byte for byte, or empty.
        notes: Deviations from the known set.
    """

    images: int
    digest: str
    copy: str
    notes: tuple[str, ...]


def check_set(name: str, files: Iterable[Path]) -> Check | None:
    """Check the count and digest of a set's HR files; None for an unknown set.

    Args:
        name: The set's name.
        files: Its HR images.
    """
    known = known_set(name)
    if known is None:
        return None
    files = list(files)
    digest = files_digest(files)
    copy = known.digests.get(digest, "")
    notes: list[str] = []
    if len(files) != known.count:
        notes.append(
            f"{known.name} has {known.count} images, here are {len(files)}: published figures do not compare"
        )
    elif known.digests and not copy:
        notes.append(
            f"{known.name}: not the files of {' or '.join(known.digests.values())}; written anew, or other "
            "images"
        )
    return Check(len(files), digest, copy, tuple(notes))


def bicubic_note(name: str, scale: int, psnr: float, protocol: str) -> str:
    """A note if bicubic's PSNR differs from the published one, because then all scores do; else empty."""
    known = known_set(name)
    expected = known.bicubic.get(scale) if known else None
    if expected is None or not protocol.startswith("ledig-y/") or abs(psnr - expected) < 0.15:
        return ""
    return (
        f"{name} x{scale}: bicubic scores {psnr:.2f} dB here and {expected:.2f} dB in papers; the HR or LR "
        "images are not the usual ones"
    )


def files_digest(files: Iterable[Path]) -> str:
    """MD5 over the MD5 sums of files, as hexadecimal text, in the order of their names.

    The digest that deepinv publishes for folders. It detects mistakes but not forgery.
    """
    total = hashlib.md5(usedforsecurity=False)
    for path in sorted(files, key=lambda p: p.name):
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, _md5).hexdigest().encode())
    return total.hexdigest()


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())

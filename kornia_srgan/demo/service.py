"""Enlarges photographs for the page, from paths to paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any

from kornia_srgan.batch.jobs import Job
from kornia_srgan.batch.naming import Naming
from kornia_srgan.batch.run import run_job
from kornia_srgan.demo.preview import BeforeAfter, make_pairs
from kornia_srgan.errors import ImageError, KorniaSRGANError, UserError
from kornia_srgan.inference.loaded import LoadedUpscalers
from kornia_srgan.inference.recipe import Recipe
from kornia_srgan.inference.rescale import Rescaler, Wanted
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.formats import FORMATS, Format, WriteOptions, default_format, named_format
from kornia_srgan.photos.header import Header, peek_header
from kornia_srgan.photos.photo import Photo

SAME, LOSSLESS = "as the photograph", "lossless"
FORMAT_NAMES = (SAME, LOSSLESS, *(f.name.lower() for f in FORMATS.values()))
_SAME_FORMAT = {"MPO": "JPEG"}  # a JPEG with more pictures behind the first, as some telephones write
_NO_LIMIT = 2**62

OnProgress = Callable[[float], Any]
"""Told which part of the photograph is done, from 0 to 1."""


@dataclass(frozen=True)
class Wish:
    """How to enlarge.

    Attributes:
        recipe: The weights and how they are used; where and in what is computed is the service's.
        scale: The scale of the result; None for that of the weights.
        form: One of `FORMAT_NAMES`.
    """

    recipe: Recipe
    scale: int | None = None
    form: str = SAME


@dataclass(frozen=True)
class Enlarged:
    """An enlarged photograph.

    Attributes:
        path: The file, named after the photograph.
        words: The sizes of photograph and result.
        notes: What could not be kept, one sentence each.
        seconds: From decoding to the written file.
        whole: The whole picture, before and after, reduced for the screen.
        detail: A part at full size.
        reduced: Whether `whole` is smaller than the result.
        restore: How much noise and compression was removed; None for weights without this setting.
    """

    path: Path
    words: str
    notes: tuple[str, ...]
    seconds: float
    whole: BeforeAfter
    detail: BeforeAfter
    reduced: bool
    restore: float | None = None


@dataclass
class Service:
    """Enlarges one photograph at a time.

    Args:
        max_pixels: Largest photograph in pixels, by its header.
        device: Where to compute; None for the fastest device here.
        dtype: What to compute in.
    """

    max_pixels: int
    device: str | None = None
    dtype: str = "auto"
    _lock: Lock = field(default_factory=Lock)
    _stopped: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self._upscalers = LoadedUpscalers(1, device=self.device, dtype=self.dtype)

    def open(self, path: Path) -> Photo:
        """Decode a photograph, so that a bad file is reported before the work begins.

        Raises:
            ImageError: If it cannot be read or is too large, in one line that names the file.
        """
        if not path.is_file():
            raise ImageError(f"'{path.name}' is no longer available; choose it again", where=path.name)
        return read_photo(path, max_pixels=self.max_pixels, name=path.name)

    def enlarge(
        self, path: Path, folder: Path, wish: Wish, on_progress: OnProgress = lambda _: None
    ) -> Enlarged:
        """Enlarge a photograph as the command `upscale` does.

        Args:
            path: The photograph.
            folder: Folder of the result and its previews; it should be empty.
            wish: How to enlarge it.
            on_progress: Called after each row of tiles.

        Raises:
            UserError: If the photograph or the weights cannot be used, in one line.
        """
        photo = self.open(path)
        header = peek_header(path)
        with self._lock:
            upscaler = self._upscalers.get(wish.recipe)
            rescaler = Rescaler(upscaler, Wanted(wish.scale))
            form = result_format(header, wish.form)
            name = result_name(path.name, wish.scale or upscaler.scale, form)
            job = Job(path, folder / name, form, path.name, target_label=name)
            done = 0.0

            def on_rows(megapixels: float) -> None:
                nonlocal done
                if self._stopped.is_set():
                    raise KorniaSRGANError("stopped")
                done += megapixels
                on_progress(min(1.0, done / photo.megapixels))

            outcome = run_job(job, rescaler, WriteOptions(), max_pixels=self.max_pixels, on_rows=on_rows)
            if outcome.status != "done":
                reason = outcome.error or KorniaSRGANError("no reason given", where=name)
                if not isinstance(reason, UserError):
                    raise reason
                raise ImageError(str(reason).replace(str(job.target), name), where=name) from reason
            enlarged = read_photo(job.target, max_pixels=_NO_LIMIT, name=name)
            whole, detail, reduced = make_pairs(photo, enlarged, folder)
            words = size_in_words(photo, enlarged.width, enlarged.height)
            return Enlarged(
                job.target, words, outcome.notes, outcome.seconds, whole, detail, reduced, outcome.restore
            )

    def stop(self) -> None:
        """Stop the current work, wait until its files are closed, and start nothing more."""
        self._stopped.set()
        if self._lock.acquire(timeout=30):
            self._lock.release()


def size_in_words(photo: Photo, width: int, height: int) -> str:
    """`640 × 480 → 2560 × 1920`."""
    frames = f", {len(photo.frames)} frames" if len(photo.frames) > 1 else ""
    return f"{photo.width} × {photo.height} → {width} × {height}{frames}"


def result_format(header: Header | None, wanted: str) -> Format:
    """The format of the result.

    Args:
        header: Of the photograph.
        wanted: One of `FORMAT_NAMES`. The photograph's own becomes a lossless one where we cannot write it.

    Raises:
        UserError: If the format is unknown.
    """
    if wanted not in (SAME, LOSSLESS):
        return named_format(wanted)
    if header is None:  # `read_photo` knows more kinds of TIFF than `peek_header`
        return FORMATS["TIFF"]
    same = FORMATS.get(_SAME_FORMAT.get(header.format, header.format))
    return same if same is not None and wanted == SAME else default_format(header)


def result_name(original: str, scale: int, form: Format) -> str:
    """`holiday_x4.JPG` for `holiday.JPG`: its own suffix where that fits the format."""
    path = Path(original)
    suffix = path.suffix if path.suffix.lower() in form.suffixes else form.suffixes[0]
    return Naming.by_scale(scale).stem(path) + suffix

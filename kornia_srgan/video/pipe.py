"""Runs frames through an enlarger: this thread computes, one decodes, and one encodes and writes.

The network always runs in one thread, because OpenMP keeps a team of threads for each calling thread.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any

import numpy as np

from kornia_srgan.errors import DataError
from kornia_srgan.inference.picture import Enlarger
from kornia_srgan.photos.photo import Pixels
from kornia_srgan.video.frames import Picture, Reader
from kornia_srgan.video.steady import Steadier
from kornia_srgan.video.targets import Place

_AHEAD = 3  # frames queued on each side
_PATIENCE = 0.2  # seconds between checks whether the run was stopped


@dataclass(frozen=True)
class ClipProgress:
    """The progress of a clip.

    Attributes:
        done: Finished frames, including those of earlier runs.
        total: Number of frames; 0 if unknown.
        computed: Frames of this run that went through the network.
        seconds: Time since the start of this run.
        begun: Frames finished by earlier runs.
    """

    done: int
    total: int
    computed: int
    seconds: float
    begun: int = 0


class _StoppedError(Exception):
    """The run was stopped."""


class Pipe:
    """One run.

    Args:
        enlarger: Enlarges the frames.
        place: The sink, and what is already done.
        steadier: Reduces flicker; None to leave frames independent.
    """

    def __init__(self, enlarger: Enlarger, place: Place, steadier: Steadier | None) -> None:
        self._enlarger, self._place, self._steadier = enlarger, place, steadier
        self._stop = threading.Event()
        self._read: Queue[Picture | BaseException | None] = Queue(_AHEAD)
        self._made: Queue[tuple[Pixels, Picture] | None] = Queue(_AHEAD)
        self._failed: BaseException | None = None

    def run(self, reader: Reader, on_frame: Callable[[ClipProgress], Any], *, total: int) -> tuple[int, int]:
        """Process all frames.

        Args:
            reader: The source of frames.
            on_frame: Called with the progress, from this thread.
            total: The expected number of frames.

        Returns:
            The number of frames in the result, and how many the network computed in this run.
        """
        sides = [
            threading.Thread(target=self._reading, args=(reader,), name="reading", daemon=True),
            threading.Thread(target=self._writing, name="writing", daemon=True),
        ]
        for side in sides:
            side.start()
        try:
            counts = self._computing(on_frame, total)
            self._put(self._made, None)
        except BaseException as error:
            self._stop.set()  # queued frames are dropped
            if isinstance(error, _StoppedError) and self._failed is not None:
                raise self._failed from None
            raise
        finally:
            for side in sides:
                side.join()
        if self._failed is not None:
            raise self._failed
        return counts

    def _computing(self, on_frame: Callable[[ClipProgress], Any], total: int) -> tuple[int, int]:
        place, began = self._place, time.perf_counter()
        done, computed = place.done, 0
        result = place.state
        if place.last is not None:  # the last frame of the earlier run
            before = self._next()
            if before is None or before.pts != place.last:
                raise DataError(
                    "the place where the run was stopped is not in the clip; --no-resume begins again",
                    where="--resume",
                )
            if self._steadier is not None and result is not None:
                self._steadier.begin(before.pixels, result)
        while (picture := self._next()) is not None:
            if result is None or not picture.same:
                result = _enlarged(picture.pixels, self._enlarger)
                computed += 1
                if self._steadier is not None:
                    result = self._steadier(picture.pixels, result)
            self._put(self._made, (result, picture))
            done += 1
            seconds = time.perf_counter() - began
            on_frame(ClipProgress(done, max(total, done) if total else 0, computed, seconds, place.done))
        return done, computed

    def _next(self) -> Picture | None:
        item = self._read.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def _put(self, queue: Queue[Any], item: Any) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(Full):
                queue.put(item, timeout=_PATIENCE)
                return
        raise _StoppedError

    def _reading(self, reader: Reader) -> None:
        try:
            with contextlib.closing(reader.frames(after=self._place.last)) as frames:
                for picture in frames:
                    self._put(self._read, picture)
            self._put(self._read, None)
        except _StoppedError:
            pass
        except BaseException as error:
            with contextlib.suppress(_StoppedError):
                self._put(self._read, error)

    def _writing(self) -> None:
        try:
            while not self._stop.is_set():
                with contextlib.suppress(Empty):
                    made = self._made.get(timeout=_PATIENCE)
                    if made is None:
                        return
                    pixels, picture = made
                    self._place.sink.write(pixels, picture.pts, picture.duration)
        except BaseException as error:
            self._failed = error
            self._stop.set()


def _enlarged(pixels: Pixels, enlarger: Enlarger) -> Pixels:
    height, width = enlarger.size(*pixels.shape[:2])
    result = np.empty((height, width, pixels.shape[2]), pixels.dtype)
    row = 0
    for band in enlarger.bands(pixels):
        result[row : row + len(band)] = band
        row += len(band)
    return result

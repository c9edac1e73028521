"""Frames through an enlarger: this thread computes, one reads and decodes, one encodes and writes.

The network computes where it ran first: OpenMP keeps a team of threads for each thread that asks.
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

_AHEAD = 3  # frames that wait on each side
_PATIENCE = 0.2  # seconds between looks whether the run was stopped


@dataclass(frozen=True)
class Progress:
    """How far a clip is.

    Attributes:
        done: Frames, with those of an earlier run.
        total: Frames; 0 where nobody knows.
        computed: Of those of this run, how many went through the network.
        seconds: Since this run began.
        begun: Frames that were done before.
    """

    done: int
    total: int
    computed: int
    seconds: float
    begun: int = 0


class _StoppedError(Exception):
    """The run was broken off."""


class Pipe:
    """One run.

    Args:
        enlarger: Computes.
        place: Where frames go, and what is done.
        steadier: Lowers flicker; None for frames on their own.
    """

    def __init__(self, enlarger: Enlarger, place: Place, steadier: Steadier | None) -> None:
        self._enlarger, self._place, self._steadier = enlarger, place, steadier
        self._stop = threading.Event()
        self._read: Queue[Picture | BaseException | None] = Queue(_AHEAD)
        self._made: Queue[tuple[Pixels, Picture] | None] = Queue(_AHEAD)
        self._failed: BaseException | None = None

    def run(self, reader: Reader, on_frame: Callable[[Progress], Any], *, total: int) -> tuple[int, int]:
        """Do all frames.

        Args:
            reader: Gives them.
            on_frame: Told of progress, from this thread.
            total: How many there are likely to be.

        Returns:
            How many are in the result, and how many of them the network computed now.
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
            self._stop.set()  # what is in the works is dropped
            if isinstance(error, _StoppedError) and self._failed is not None:
                raise self._failed from None
            raise
        finally:
            for side in sides:
                side.join()
        if self._failed is not None:
            raise self._failed
        return counts

    def _computing(self, on_frame: Callable[[Progress], Any], total: int) -> tuple[int, int]:
        place, began = self._place, time.perf_counter()
        done, computed = place.done, 0
        result = place.state
        if place.last is not None:  # the frame behind which to go on
            before = self._next()
            if before is None or before.pts != place.last:
                raise DataError(
                    "the place where the run was stopped is not in the clip; --no-resume begins again"
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
            on_frame(Progress(done, max(total, done), computed, time.perf_counter() - began, place.done))
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

"""Enlarges pictures for the server: one thread computes, others read and write files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from kornia_srgan.batch.desk import Desk, StoppedError
from kornia_srgan.batch.jobs import Job
from kornia_srgan.batch.run import run_job
from kornia_srgan.errors import ArgumentError, ImageError, KorniaSRGANError, did_you_mean
from kornia_srgan.inference.loaded import LoadedUpscalers
from kornia_srgan.inference.recipe import Recipe
from kornia_srgan.inference.rescale import Wanted
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.photos.formats import Format, WriteOptions, default_format
from kornia_srgan.photos.header import peek_header
from kornia_srgan.photos.signature import TIFF_MAGIC
from kornia_srgan.serve.gathering import Gathered, Limited, Table, TooLargeError
from kornia_srgan.weights.choices import Choices

_KEPT = 4  # upscalers that stay loaded
_AT_ONCE = 8  # pictures in work, of which one is not small
_SMALL = 2**16  # pixels; a larger one fills the processor alone


class BusyError(KorniaSRGANError):
    """The queue is full."""


class CancelledError(KorniaSRGANError):
    """The client no longer waits for the result."""


@dataclass(frozen=True)
class Order:
    """A picture to enlarge.

    Attributes:
        data: The file.
        weights: The label of available weights.
        recipe: How they are used; weights, tile, device and dtype are the workshop's.
        wanted: The size of the result.
        form: The format of the result; None for a lossless one.
        options: Options of the format.
    """

    data: bytes
    weights: str
    recipe: Recipe = field(default_factory=Recipe)
    wanted: Wanted = field(default_factory=Wanted)
    form: Format | None = None
    options: WriteOptions = field(default_factory=WriteOptions)


@dataclass(frozen=True)
class Delivery:
    """A result.

    Attributes:
        path: The file.
        form: Its format.
        notes: What could not be kept, one sentence each.
        megapixels: Of the picture.
        waited: Seconds in the queue.
        worked: Seconds from decoding to the written file.
    """

    path: Path
    form: Format
    notes: tuple[str, ...]
    megapixels: float
    waited: float
    worked: float


@dataclass
class Ticket:
    """An accepted order."""

    result: Future[Delivery] = field(default_factory=Future)
    gone: Future[None] = field(default_factory=Future)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Do not start the order, or stop it after its next rows."""
        self._cancelled.set()
        self.result.cancel()
        self.gone.cancel()  # makes room in the queue at once

    @property
    def cancelled(self) -> bool:
        """Whether the order was cancelled."""
        return self._cancelled.is_set()


class Workshop:
    """Enlarges pictures in the order in which they come.

    All computing is done in one thread, because a generator is fastest in the thread that ran it first. Small
    pictures of one size that wait for it are enlarged in one call; larger ones are in work one at a time.

    Args:
        choices: The available weights by label; the first one is the default.
        device: Where to compute; None for the fastest device here.
        dtype: What to compute in.
        tile: Side of a tile, or `"auto"`.
        max_pixels: Largest picture in pixels.
        max_result: Largest result in pixels.
        max_waiting: Most orders in the queue.
    """

    def __init__(
        self,
        choices: Choices,
        *,
        device: str | None = None,
        dtype: str = "auto",
        tile: int | Literal["auto"] = "auto",
        max_pixels: int = 25_000_000,
        max_result: int = 400_000_000,
        max_waiting: int = 16,
    ) -> None:
        self.choices = choices
        self._max_pixels, self._max_result, self._max_waiting = max_pixels, max_result, max_waiting
        self._upscalers = LoadedUpscalers(_KEPT, tile=tile, device=device, dtype=dtype)
        self._desk, self._table = Desk(), Table()
        self._computing = threading.Thread(target=self._compute, name="kornia-srgan-compute", daemon=True)
        self._computing.start()
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="kornia-srgan-work")
        self._large = threading.Lock()
        self._lock = threading.Lock()
        self._open = 0
        self._stopped = threading.Event()

    @property
    def waiting(self) -> int:
        """The number of orders in the queue, without the one in work."""
        return max(0, self._open - 1)

    @property
    def busy(self) -> bool:
        """Whether an order is in work."""
        return self._open > 0

    def warm_up(self) -> None:
        """Load the default weights, so that the first order does not wait for them."""
        usual = next(iter(self.choices))
        self._desk.ask(lambda: self._upscaler(usual, Recipe())).result()

    def take(self, order: Order, folder: Path) -> Ticket:
        """Add an order to the queue; its result is written to `folder`.

        Raises:
            BusyError: If the queue is full.
            ArgumentError: If there are no such weights.
            TooLargeError: If the picture has too many pixels, by its header.
        """
        self._check(order)
        with self._lock:
            if self._stopped.is_set() or self._open > self._max_waiting:
                raise BusyError(f"{self._open} pictures are waiting already; try again later")
            self._open += 1
        ticket, came = Ticket(), time.perf_counter()
        ticket.gone.add_done_callback(self._count_off)
        self._pool.submit(self._work, order, folder, ticket, came).add_done_callback(
            lambda _: ticket.gone.cancel()
        )
        return ticket

    def stop(self) -> None:
        """Stop the order in work after its next rows, and start no other."""
        self._stopped.set()
        self._desk.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._desk.wake()
        self._computing.join()

    def _compute(self) -> None:
        while not self._desk.closed:
            self._desk.work()

    def _check(self, order: Order) -> None:
        label = order.weights
        if label not in self.choices:
            known = did_you_mean(label, self.choices) or f"; there are {', '.join(self.choices)}"
            raise ArgumentError(f"weights '{label}' are not offered{known}", where="weights")
        header = peek_header(order.data)
        if header is not None and header.megapixels * 1e6 > self._max_pixels:
            raise TooLargeError(
                f"the picture has {header.megapixels:.1f} megapixels, over the limit of "
                f"{self._max_pixels / 1e6:g}",
                where="image",
            )

    def _count_off(self, _: Future[Any]) -> None:
        with self._lock:
            self._open -= 1

    def _work(self, order: Order, folder: Path, ticket: Ticket, came: float) -> None:
        if not ticket.result.set_running_or_notify_cancel():
            return
        try:
            ticket.result.set_result(self._enlarged(order, folder, ticket, came))
        except StoppedError:
            ticket.result.set_exception(CancelledError("the server is stopping"))
        except Exception as error:
            ticket.result.set_exception(error)

    def _enlarged(self, order: Order, folder: Path, ticket: Ticket, came: float) -> Delivery:
        go_on = self._asker(ticket)
        upscaler = self._desk.ask(lambda: self._upscaler(order.weights, order.recipe)).result()
        waited = time.perf_counter() - came
        enlarger = Limited(Gathered(upscaler, self._table), order.wanted, self._max_result, go_on)
        header = peek_header(order.data)
        form = order.form or (default_format(header) if header else _lossless())
        if upscaler.data_range is not None:
            form = _data_format(order)
        job = Job(order.data, folder / f"result{form.suffixes[0]}", form, "the picture", target_label="it")
        small = header is not None and header.megapixels * 1e6 <= _SMALL
        with nullcontext() if small else self._large:
            outcome = run_job(
                job,
                enlarger,
                order.options,
                max_pixels=self._max_pixels,
                on_rows=go_on,
                desk=self._desk,
            )
        if outcome.error is not None:
            raise outcome.error
        return Delivery(job.target, form, outcome.notes, outcome.megapixels, waited, outcome.seconds)

    def _asker(self, ticket: Ticket) -> Callable[[float], None]:
        def go_on(_: float) -> None:
            if ticket.cancelled or self._stopped.is_set():
                raise CancelledError("the order was cancelled")

        return go_on

    def _upscaler(self, weights: str, recipe: Recipe) -> Upscaler:
        return self._upscalers.get(replace(recipe, source=self.choices[weights].source))


def _data_format(order: Order) -> Format:
    """The format of data of a stated range.

    Raises:
        ImageError: If what was sent is no TIFF.
        ArgumentError: If another format is wanted.
    """
    from kornia_srgan.photos.formats import FORMATS

    tiff = FORMATS["TIFF"]
    if order.form not in (None, tiff):
        raise ArgumentError("weights of a stated range give TIFF; leave out the format", where="format")
    if not order.data.startswith(TIFF_MAGIC):
        raise ImageError("weights of a stated range take a TIFF or GeoTIFF; send one", where="image")
    return tiff


def _lossless() -> Format:
    from kornia_srgan.photos.formats import FORMATS

    return FORMATS["PNG"]

"""Counters of the server in Prometheus format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from kornia_srgan.serve.workshop import Delivery, Workshop

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NAME = "kornia_srgan_"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """Counters of one server."""

    def __init__(self, workshop: Workshop) -> None:
        self._registry = own = CollectorRegistry()
        self._requests = Counter(
            f"{_NAME}requests", "Pictures that were sent, by HTTP status", ["status"], registry=own
        )
        self._pixels = Counter(f"{_NAME}megapixels", "Megapixels of enlarged pictures", registry=own)
        self._waited = Histogram(f"{_NAME}queue_seconds", "Time in the queue", buckets=_SECONDS, registry=own)
        self._worked = Histogram(
            f"{_NAME}work_seconds", "From decoding to the written file", buckets=_SECONDS, registry=own
        )
        waiting = Gauge(f"{_NAME}queue_length", "Pictures that wait", registry=own)
        waiting.set_function(lambda: workshop.waiting)
        busy = Gauge(f"{_NAME}busy", "1 while a picture is in work", registry=own)
        busy.set_function(lambda: float(workshop.busy))

    def answered(self, status: int) -> None:
        """Count a request."""
        self._requests.labels(str(status)).inc()

    def delivered(self, delivery: Delivery) -> None:
        """Count an enlarged picture."""
        self._pixels.inc(delivery.megapixels)
        self._waited.observe(delivery.waited)
        self._worked.observe(delivery.worked)

    def text(self) -> bytes:
        """All counters in Prometheus format."""
        return generate_latest(self._registry)

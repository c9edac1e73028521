"""What `kornia-srgan serve` holds: clients that ask without a pause, on the loopback.

Each client sends a picture, waits for the answer and sends the next. A refusal (503, the queue is full) is
counted, waited after as the server says, and tried again.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Load:
    """What clients met."""

    seconds: float = 0.0
    answers: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Pictures a second, and how long one that was taken took."""
        done = self.answers[200]
        middle, late, latest = np.quantile(self.times or [0.0], [0.5, 0.95, 1.0]).tolist()
        return {
            "pictures": done,
            "refused": self.answers[503],
            "failed": sum(self.answers.values()) - done - self.answers[503],
            "pictures_per_second": round(done / self.seconds, 3) if self.seconds else 0.0,
            "seconds_median": round(middle, 3),
            "seconds_95": round(late, 3),
            "seconds_most": round(latest, 3),
        }


def main(arguments: Sequence[str]) -> None:
    """Start a server, ask it, print what came as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve_load", description=__doc__)
    parser.add_argument("--weights", default="edsr-x4")
    parser.add_argument("--size", type=int, nargs=2, default=(96, 64), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--pictures", type=int, default=50, help="For each number of clients.")
    parser.add_argument("--max-waiting", type=int, default=16)
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args(arguments)
    picture = _picture(*chosen.size)
    options = ["--max-waiting", str(chosen.max_waiting), "--device", chosen.device]
    with running_server(["--weights", chosen.weights, *options]) as address:
        url = f"{address}?weights={chosen.weights}"
        asyncio.run(ask(url, picture, clients=1, pictures=2))  # the first ones warm up
        for clients in chosen.clients:
            load = asyncio.run(ask(url, picture, clients=clients, pictures=chosen.pictures))
            print(json.dumps({"clients": clients, **load.summary()}), flush=True)


def _picture(width: int, height: int) -> bytes:
    from PIL import Image

    small = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


@contextmanager
def running_server(options: Sequence[str]) -> Iterator[str]:
    """The address of a server that ends with the block."""
    command = [sys.executable, "-u", "-m", "kornia_srgan", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit("the server did not start")
            yield line.split()[0]
        finally:
            process.terminate()


async def ask(url: str, picture: bytes, *, clients: int, pictures: int) -> Load:
    """Ask for a number of pictures, by clients at once.

    Args:
        url: Of `/upscale`.
        picture: The file to send.
        clients: How many at once.
        pictures: How many there are to be, together.
    """
    import httpx

    load, left = Load(), iter(range(pictures))

    async def client(session: httpx.AsyncClient) -> None:
        for _ in left:
            status, start = 503, 0.0
            while status == 503:
                start = time.perf_counter()
                answer = await session.post(url, content=picture)
                status = answer.status_code
                load.answers[status] += 1
                if status == 503:
                    await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
            if status == 200:
                load.times.append(time.perf_counter() - start)

    begun = time.perf_counter()
    async with httpx.AsyncClient(timeout=600, limits=httpx.Limits(max_connections=None)) as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
    load.seconds = time.perf_counter() - begun
    return load


if __name__ == "__main__":
    main(sys.argv[1:])

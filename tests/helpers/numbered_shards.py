"""Tar shards of flat images that say which they are, and a web server that hands them out, with faults."""

from __future__ import annotations

import io
import json
import re
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image


def png(number: int, side: int = 20) -> bytes:
    data = io.BytesIO()
    noise = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    noise[..., 0] = number
    Image.fromarray(noise).save(data, "png")
    return data.getvalue()


def write_shard(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def make_shards(folder: Path, counts: Sequence[int]) -> str:
    """Shards of so many images each, numbered through in their red channel; the pattern of their paths."""
    number = 0
    for index, count in enumerate(counts):
        members = {f"{n:04d}.png": png(n) for n in range(number, number + count)}
        write_shard(folder / f"s-{index:02d}.tar", {"0000.json": b"{}", **members})
        number += count
    return str(folder / f"s-{{00..{len(counts) - 1:02d}}}.tar")


@dataclass
class ShardServer:
    """Files of a folder by HTTP, and those of the Hub's data set `me/set`.

    Attributes:
        ranges: Whether parts of files are sent when asked for.
        status: Answered to the next `faults` requests for data.
        cut: Bytes after which the next `faults` answers break off; 0 for none.
    """

    folder: Path
    url: str = ""
    ranges: bool = True
    faults: int = 0
    status: int = 503
    cut: int = 0
    requests: Counter[str] = field(default_factory=Counter)

    def take_fault(self) -> bool:
        faulty = self.faults > 0
        self.faults -= faulty
        return faulty


@contextmanager
def serve_shards(folder: Path) -> Iterator[ShardServer]:
    shards = ShardServer(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(shards))
    shards.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield shards
    server.shutdown()
    server.server_close()


def _handler(shards: ShardServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def answer(self, code: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(code)
            for name, value in {"Content_Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            shards.requests[self.command] += 1
            if path.startswith("/api/datasets/"):
                return self.hub(path.removeprefix("/api/datasets/"))
            name = re.sub(r"^/datasets/me/set/resolve/main/|^/", "", path)
            file = shards.folder / name
            if not file.is_file():
                return self.answer(403 if name.startswith("closed/") else 404)
            content = file.read_bytes()
            if self.command == "GET" and shards.take_fault():
                if not shards.cut:
                    return self.answer(shards.status)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: shards.cut])
                self.close_connection = True
                return None
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if not (asked and shards.ranges):
                return self.answer(200, content)
            first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            said = f"bytes {first}-{last}/{len(content)}"
            return self.answer(206, content[first : last + 1], Content_Range=said)

        def hub(self, path: str) -> None:
            if not path.startswith("me/set"):
                return self.answer(404, X_Error_Code="RepoNotFound")
            facts: object = {"id": "me/set", "sha": "0" * 40, "siblings": []}
            if "/tree/" in path:
                facts = [
                    {"type": "file", "oid": "0" * 40, "size": f.stat().st_size, "path": f.name}
                    for f in sorted(shards.folder.iterdir())
                    if f.is_file()
                ]
            return self.answer(200, json.dumps(facts).encode(), Content_Type="application/json")

    return Handler

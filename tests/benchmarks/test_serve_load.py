"""The load benchmark of the server, with a server that refuses every third picture."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.serve_load import ask

pytest.importorskip("httpx")


@pytest.fixture
def address():
    class Refusing(BaseHTTPRequestHandler):
        asked = 0

        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            Refusing.asked += 1
            self.send_response(503 if Refusing.asked % 3 == 0 else 200)
            self.send_header("retry-after", "0.01")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}/upscale"
    server.shutdown()


def test_every_picture_is_asked_for_until_it_comes(address):
    found = asyncio.run(ask(address, b"picture", clients=3, pictures=10)).summary()
    assert (found["pictures"], found["failed"]) == (10, 0)
    assert found["refused"] >= 3
    assert 0 < found["seconds_median"] <= found["seconds_95"] <= found["seconds_most"]

"""Listening, and stopping with answers still open."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kornia_srgan.errors import UserError
from kornia_srgan.web_server import address_of, listen

SERVER = """
import asyncio
from kornia_srgan.web_server import address_of, listen, serve_until_stopped

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
        return
    if scope["path"] == "/fails":
        raise ValueError("a fault of its own")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first", "more_body": True})
    await asyncio.sleep(600)

with listen("127.0.0.1", 0) as listener:
    serve_until_stopped(app, listener, ready=lambda: print(address_of(listener), flush=True), grace=1)
"""


def test_it_listens_on_this_machine_only():
    with listen("127.0.0.1", 0) as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        assert address_of(listener) == f"http://127.0.0.1:{port}"


def test_everywhere_has_an_address_to_type():
    with listen("0.0.0.0", 0) as listener:
        assert address_of(listener).startswith("http://127.0.0.1:")


def test_a_port_below_is_refused_in_words(monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(UserError, match="port 80 may not be used"):
        listen("127.0.0.1", 80)


@pytest.mark.parametrize("path", ["/endless", "/fails"])
def test_stopping_with_an_open_answer_is_quiet_but_faults_are_told(path):
    pytest.importorskip("uvicorn")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        _, port = process.stdout.readline().strip().rsplit(":", 1)
        with socket.create_connection(("127.0.0.1", int(port)), timeout=60) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert connection.recv(100)
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=60)
    assert process.returncode == 0
    if path == "/fails":
        assert "a fault of its own" in told
    else:
        assert told == ""

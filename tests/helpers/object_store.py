"""An object store on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def object_store(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[Any]:
    """A server whose address is in the environment; gives a function that puts credentials there too."""
    s3fs = pytest.importorskip("s3fs")
    moto_server = pytest.importorskip("moto.server")
    store = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(home))  # with no credentials in it

    def set_credentials() -> Any:
        """Set credentials, as in a new process; returns boto3's client."""
        boto3 = pytest.importorskip("boto3")
        s3fs.S3FileSystem.clear_instance_cache()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return boto3.client("s3")

    try:
        yield set_credentials
    finally:
        store.stop()
        s3fs.S3FileSystem.clear_instance_cache()

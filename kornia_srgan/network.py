"""The network: whether it may be used, the Hub's address, and whether a server can be reached."""

from __future__ import annotations

import os
import socket
import threading
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

PROBE_SECONDS = 3.0
PIPE = "pipe:"
_WEB = ("http", "https")


def is_address(name: str) -> bool:
    """Whether a name is an address, such as `s3://bucket/photos`, not a path."""
    return "://" in name


def is_remote(name: str) -> bool:
    """Whether a name of data is an address, or a command after `pipe:`, not a path."""
    return is_address(name) or name.startswith(PIPE)


def is_on_the_web(address: str) -> bool:
    """Whether an address is that of a web server."""
    return urlsplit(address).scheme in _WEB


def last_part(address: str) -> str:
    """The last part of an address or a command, such as `train-{000..099}.tar`.

    On a web server, what follows `?` or `#` does not belong to it; elsewhere it is part of the name.
    """
    path = urlsplit(address).path if is_on_the_web(address) else address
    return path.rstrip("/").rpartition("/")[2]


def is_offline() -> bool:
    """Whether the user forbids the network, by `HF_HUB_OFFLINE`; then nothing is asked of any server."""
    from huggingface_hub import constants

    return constants.is_offline_mode()


def hub_endpoint() -> str:
    """The Hub's address, or that of `HF_ENDPOINT`."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def reachable(url: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether the server of an address takes a connection; False at once where `is_offline`.

    Libraries that download retry for most of a minute. With a proxy, the proxy is asked instead.

    Args:
        url: An address; only its scheme, host and port count.
        seconds: How long to wait, name resolution included.
    """
    if is_offline():
        return False
    target = urlsplit(url)
    proxy = None if proxy_bypass(target.netloc) else getproxies().get(target.scheme)
    if proxy:
        target = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    port = target.port or (80 if target.scheme == "http" else 443)
    reached = threading.Event()

    def connect() -> None:
        try:
            socket.create_connection((target.hostname or "", port), timeout=seconds).close()
            reached.set()
        except OSError:
            pass

    thread = threading.Thread(target=connect, daemon=True)  # a name server that hangs knows no time limit
    thread.start()
    thread.join(seconds)
    return reached.is_set()

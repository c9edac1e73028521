"""Shared by the demo and the server: a listening socket, and serving until a signal to stop."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Callable
from typing import Any

from kornia_srgan.errors import UserError


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; port 0 takes any free port.

    Raises:
        UserError: If the address cannot be used.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (socket.gaierror, UnicodeError, OverflowError):
        raise UserError(f"--host '{host}' is not an address of this machine", where="--host") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = "is taken by another program; choose another --port, or 0 for any that is free"
        elif error.errno == errno.EACCES:
            reason = "may not be used by you; choose one above 1023"
        elif error.errno == errno.EADDRNOTAVAIL:
            raise UserError(f"--host '{host}' is not an address of this machine", where="--host") from None
        else:
            reason = f"cannot be used: {error.strerror or error}"
        raise UserError(f"port {port} {reason}", where="--port") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    return host in ("127.0.0.1", "::1", "localhost")


def address_of(listener: socket.socket) -> str:
    """The address to open in a browser."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


def serve_until_stopped(
    app: Callable[..., Any], listener: socket.socket, *, ready: Callable[[], Any], grace: int
) -> None:
    """Serve until Ctrl-C or a signal to stop.

    Args:
        app: The ASGI application.
        listener: The listening socket.
        ready: Called when the server accepts connections.
        grace: Seconds that open responses may take after the signal; then they are aborted.
    """
    import uvicorn

    settings = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=grace)
    server = uvicorn.Server(settings)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)

    def worth_telling(record: logging.LogRecord) -> bool:
        return not (server.should_exit and _breaks_off(record))

    logger = logging.getLogger("uvicorn.error")
    logger.addFilter(worth_telling)
    try:
        ready()
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # how a server is stopped
    finally:
        logger.removeFilter(worth_telling)


def _breaks_off(record: logging.LogRecord) -> bool:
    """Whether it tells, at length, that an open answer was broken off: what stopping is."""
    error = record.exc_info[1] if record.exc_info else None
    return isinstance(error, asyncio.CancelledError) or "graceful shutdown exceeded" in record.getMessage()

"""Runs the server until a signal to stop."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kornia_srgan.environment import require_extra
from kornia_srgan.errors import UserError
from kornia_srgan.web_server import is_loopback, serve_until_stopped

if TYPE_CHECKING:
    from fastapi import FastAPI

TOKEN_VARIABLE = "KORNIA_SRGAN_TOKEN"


def require_server() -> None:
    """Fail early and in one line.

    Raises:
        MissingExtraError: If a package of the extra is not installed.
    """
    require_extra("serve", "fastapi", "uvicorn", "prometheus_client", purpose="the server")


def find_token(host: str, file: Path | None) -> tuple[str | None, bool]:
    """The token that clients must send, and whether it was made just now.

    From a file or the environment; on other addresses than the loopback one is made where there is none.

    Raises:
        UserError: If the file cannot be read or is empty.
    """
    if file is not None:
        try:
            token = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"--token-file {file}: cannot be read ({error})", where=file) from error
        if not token:
            raise UserError(f"--token-file {file}: it is empty", where=file)
        return token, False
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if token:
        return token, False
    return (None, False) if is_loopback(host) else (secrets.token_urlsafe(24), True)


def serve_app(app: FastAPI, listener: socket.socket, ready: Callable[[], Any]) -> None:
    """Serve until Ctrl-C or a signal to stop; pictures in work are broken off.

    Args:
        app: From `build_app`.
        listener: Where.
        ready: Called when it can be reached.
    """
    serve_until_stopped(app, listener, ready=ready, grace=5)

"""Serves the page on this machine until a signal to stop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from kornia_srgan.environment import require_extra
from kornia_srgan.web_server import serve_until_stopped

if TYPE_CHECKING:
    import gradio as gr

_OFFLINE = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_MCP_SERVER": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""Gradio reads most of its settings from here only, and when it is imported."""


def require_gradio() -> None:
    """Fail early and in one line.

    Raises:
        MissingExtraError: If Gradio is not installed.
    """
    require_extra("demo", "gradio", purpose="the demo")


@contextmanager
def working_folder() -> Iterator[Path]:
    """A temporary folder for uploads and results, which is also registered with Gradio."""
    with TemporaryDirectory(prefix="kornia-srgan-demo-", ignore_cleanup_errors=True) as name:
        changed = {**_OFFLINE, "GRADIO_TEMP_DIR": name}
        before = {key: os.environ.get(key) for key in changed}
        os.environ.update(changed)
        try:
            yield Path(name)
        finally:
            for key, value in before.items():
                os.environ.pop(key, None) if value is None else os.environ.update({key: value})


def serve_page(
    page: gr.Blocks, listener: socket.socket, *, css: str, max_upload: int, ready: Callable[[], Any]
) -> None:
    """Serve a page until Ctrl-C or a signal to stop.

    Args:
        page: The page.
        listener: The listening socket.
        css: The style sheet.
        max_upload: Largest file in bytes.
        ready: Called when the page can be opened.
    """
    import gradio as gr
    from fastapi import FastAPI

    sans, mono = ("system-ui", "sans-serif"), ("ui-monospace", "monospace")
    app = gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        page,
        "/",
        theme=gr.themes.Default(font=sans, font_mono=mono),
        css=css,
        max_file_size=max_upload,
        show_error=False,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )
    # Only `launch` sets it, and without it Gradio takes any path that a browser names for an upload.
    page.has_launched = True
    serve_until_stopped(app, listener, ready=ready, grace=1)

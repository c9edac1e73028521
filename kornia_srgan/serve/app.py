"""The endpoints of the server: upscale, weights, health, metrics and OpenAPI."""

from __future__ import annotations

import asyncio
import hmac
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException as StarletteHTTPException

from kornia_srgan._version import __version__
from kornia_srgan.errors import ArgumentError, ImageError, OutOfMemoryError, UserError
from kornia_srgan.explain import one_line
from kornia_srgan.inference.recipe import Recipe
from kornia_srgan.inference.rescale import Wanted
from kornia_srgan.photos.formats import WriteOptions, named_format, parse_color
from kornia_srgan.serve.metrics import CONTENT_TYPE, Metrics
from kornia_srgan.serve.workshop import (
    BusyError,
    CancelledError,
    Delivery,
    Order,
    Ticket,
    TooLargeError,
    Workshop,
)

_MEDIA = {"JPEG": "image/jpeg", "TIFF": "image/tiff", "BMP": "image/bmp"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "requestBody": {"required": True, "content": {"application/octet-stream": _BINARY, "image/*": _BINARY}}
}
_LOOK = 0.25  # seconds between looks whether the client is still there
_NOTES_LENGTH = 4000  # characters: servers and proxies limit all headers of an answer, often to 8 KiB
_CLIENT_GONE = 499


def build_app(workshop: Workshop, folder: Path, *, max_upload: int, token: str | None = None) -> FastAPI:
    """The application.

    Args:
        workshop: Enlarges the pictures; stopped together with the application.
        folder: Folder of results until they are sent.
        max_upload: Largest file in bytes.
        token: Token that clients must send as `Authorization: Bearer TOKEN`. With None, local programs need
            no token, but web pages of other sites are refused.
    """
    metrics = Metrics(workshop)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(workshop.stop)

    app = FastAPI(
        title="kornia-srgan", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan,
        description="Enlarges pictures.",
    )  # fmt: skip
    _tell_errors_in_one_line(app)
    allowed = [Depends(_guard(token))]

    @app.get("/health")
    def health() -> dict[str, Any]:
        """Whether the server is running, and how many pictures are waiting."""
        return {"status": "ok", "busy": workshop.busy, "waiting": workshop.waiting}

    @app.get("/metrics", dependencies=allowed, response_class=Response)
    def show_metrics() -> Response:
        """Counters in Prometheus' format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @app.get("/weights", dependencies=allowed)
    def weights() -> list[dict[str, Any]]:
        """The available weights; the first one is the default."""
        return [{"name": k, "scale": c.scale, "about": c.text} for k, c in workshop.choices.items()]

    @app.post(
        "/upscale", dependencies=allowed, response_class=FileResponse, openapi_extra=_BODY,
        responses={200: {"content": {"image/*": _BINARY}}},
    )  # fmt: skip
    async def upscale(
        request: Request,
        weights: Annotated[str | None, Query(description="One of /weights.")] = None,
        scale: Annotated[float | None, Query(gt=0, description="Times the picture.")] = None,
        width: Annotated[int | None, Query(ge=1, description="Of the result, in pixels.")] = None,
        long_side: Annotated[int | None, Query(ge=1, description="Of the result, in pixels.")] = None,
        format: Annotated[str | None, Query(description="png, jpeg, webp, tiff, avif, gif, bmp.")] = None,
        quality: Annotated[int | None, Query(ge=1, le=100, description="For jpeg, webp, avif.")] = None,
        subsampling: Literal["4:4:4", "4:2:2", "4:2:0"] = "4:4:4",
        background: Annotated[str, Query(description="Shows through transparency.")] = "white",
        ensemble: bool = False,
        color_fix: bool = False,
        restore: Annotated[float | None, Query(ge=0, le=1, description="Without: automatic.")] = None,
        sharp: Annotated[float, Query(ge=0, le=1, description="How far towards GAN weights.")] = 0.0,
    ) -> Response:
        """Enlarge the picture in the body.

        The header `X-Notes` is a JSON list of what the format could not hold. If it would be too long, its
        last entry says how many more there are.
        """
        own = Path(tempfile.mkdtemp(dir=folder))
        try:
            usual = next(iter(workshop.choices))
            dial = "auto" if restore is None else restore
            recipe = Recipe(ensemble=ensemble, color_fix=color_fix, restore=dial, sharp=sharp)
            form = named_format(format) if format else None
            options = WriteOptions(quality, subsampling, parse_color(background))
            wanted = Wanted(scale, width, long_side)
            data = await _body(request, max_upload)
            order = Order(data, weights or usual, recipe, wanted, form, options)
            ticket = await asyncio.to_thread(workshop.take, order, own)
            delivery = await _delivered(ticket, request)
        except BaseException as error:
            shutil.rmtree(own, ignore_errors=True)
            answer = _refusal(error)
            metrics.answered(answer.status_code if answer else 500)
            if answer is None:
                raise
            raise answer from error
        metrics.answered(200)
        metrics.delivered(delivery)
        return _answer(delivery, own)

    return app


def _guard(token: str | None) -> Callable[[Request], None]:
    """Check access: clients with the token, or without a token, programs on this machine."""

    def check(request: Request) -> None:
        if token is not None:
            given = request.headers.get("authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                raise HTTPException(401, "the token is missing or wrong", {"WWW-Authenticate": "Bearer"})
            return
        # A page of another site in this machine's browser can reach the loopback too, under its own name.
        origin = request.headers.get("origin")
        host = request.headers.get("host", "")
        if origin is not None and urlsplit(origin).netloc != host:
            raise HTTPException(403, "pages of other sites may not use this server")
        if urlsplit(f"//{host}").hostname not in ("127.0.0.1", "localhost", "::1"):
            raise HTTPException(403, f"requests for the host '{host}' are not allowed")

    return check


async def _body(request: Request, most: int) -> bytes:
    """Read the file in a request.

    Raises:
        HTTPException: If it is empty or too large; a large one is refused while it is being uploaded.
    """
    told = request.headers.get("content-length", "0")
    if told.isdigit() and int(told) > most:
        raise _too_large(most)
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise _too_large(most)
    if not data:
        raise HTTPException(
            400, "the body is empty; send the picture as the body, as curl --data-binary does"
        )
    return bytes(data)


def _too_large(most: int) -> HTTPException:
    return HTTPException(413, f"the file is larger than {most / 2**20:g} MB")


async def _delivered(ticket: Ticket, request: Request) -> Delivery:
    """Wait for the result; it is cancelled if the client disconnects."""
    waiting = asyncio.wrap_future(ticket.result)
    try:
        while True:
            done, _ = await asyncio.wait([waiting], timeout=_LOOK)
            if done:
                return waiting.result()
            if await request.is_disconnected():
                raise CancelledError("the client has gone")
    except BaseException:
        ticket.cancel()
        waiting.cancel()  # nobody asks for its error
        raise


def _refusal(error: BaseException) -> HTTPException | None:
    """The response for an error."""
    text = one_line(error)
    if isinstance(error, HTTPException):
        return error
    if isinstance(error, BusyError):
        return HTTPException(503, text, {"Retry-After": "5"})
    kinds = (
        (TooLargeError, 413),
        (ArgumentError, 400),
        (ImageError, 422),
        (OutOfMemoryError, 507),
        (CancelledError, _CLIENT_GONE),
        (UserError, 400),
    )
    status = next((status for kind, status in kinds if isinstance(error, kind)), None)
    return HTTPException(status, text) if status is not None else None


def _answer(delivery: Delivery, folder: Path) -> FileResponse:
    name = delivery.form.name
    headers = {
        "Server-Timing": f"queue;dur={delivery.waited * 1000:.0f}, work;dur={delivery.worked * 1000:.0f}"
    }
    if delivery.notes:
        headers["X-Notes"] = _as_header(delivery.notes)
    media = _MEDIA.get(name, f"image/{name.lower()}")
    gone = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(delivery.path, media_type=media, headers=headers, background=gone)


def _as_header(notes: Sequence[str]) -> str:
    """The notes as a JSON list; if they are too many, it ends with how many more there are."""
    whole = json.dumps(notes)
    shorter = (
        json.dumps([*notes[:kept], f"{len(notes) - kept} more, for which a header has no room"])
        for kept in reversed(range(len(notes)))
    )
    return next(text for text in chain([whole], shorter) if len(text) <= _NOTES_LENGTH)


def _tell_errors_in_one_line(app: FastAPI) -> None:
    @app.exception_handler(StarletteHTTPException)
    def refused(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    def wrong(_: Request, error: RequestValidationError) -> JSONResponse:
        told = "; ".join(f"{e['loc'][-1]}: {e['msg']}" for e in error.errors())
        return JSONResponse({"error": told}, 400)

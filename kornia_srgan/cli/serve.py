"""`kornia-srgan serve`: an HTTP server that enlarges pictures."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from kornia_srgan.cli.options import (
    DeviceOption,
    HostOption,
    MaxPixelsOption,
    MaxUploadOption,
    MoreWeightsOption,
    PluginOption,
    PortOption,
    ServedDtypeOption,
    ThreadsOption,
    TileOption,
)


def command(
    *,
    weights: MoreWeightsOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token that clients must send [default: KORNIA_SRGAN_TOKEN]"),
    ] = None,
    max_upload: MaxUploadOption = 100,
    max_pixels: MaxPixelsOption = 25,
    max_result: Annotated[int, typer.Option(min=1, help="Largest result in megapixels.")] = 400,
    max_waiting: Annotated[int, typer.Option(min=0, help="Most pictures in the queue.")] = 16,
    tile: TileOption = "auto",
    device: DeviceOption = "auto",
    dtype: ServedDtypeOption = "auto",
    threads: ThreadsOption = None,
    plugin: PluginOption = None,
) -> None:
    """Enlarge pictures for other programs over HTTP.

    POST a picture to /upscale; the response is the enlarged picture.

    Needs the extra `serve`: pip install "kornia-srgan[serve]".
    """
    from kornia_srgan.serve.run import find_token, require_server

    require_server()
    token, made = find_token(host, token_file)

    from kornia_srgan.inference.tile_size import parse_tile
    from kornia_srgan.registry.plugins import load_plugins
    from kornia_srgan.serve.app import build_app
    from kornia_srgan.serve.run import serve_app
    from kornia_srgan.serve.workshop import Workshop
    from kornia_srgan.web_server import address_of, listen
    from kornia_srgan.weights.choices import choices_of

    load_plugins(plugin or ())
    workshop = Workshop(
        choices_of(weights or ()),
        device=device,
        dtype=dtype,
        tile=parse_tile(tile),
        max_pixels=max_pixels * 1_000_000,
        max_result=max_result * 1_000_000,
        max_waiting=max_waiting,
    )
    with listen(host, port) as listener, TemporaryDirectory(prefix="kornia-srgan-serve-") as folder:
        try:
            workshop.warm_up()
            app = build_app(workshop, Path(folder), max_upload=max_upload * 2**20, token=token)

            def ready() -> None:
                typer.echo(f"{address_of(listener)}/upscale (Ctrl-C stops it)")
                if made:
                    typer.echo(f"clients must send: Authorization: Bearer {token}")

            serve_app(app, listener, ready)
        finally:
            workshop.stop()

"""`kornia-srgan serve`: an HTTP server that enlarges pictures."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from kornia_srgan.cli.options import PluginOption, ThreadsOption


def command(
    *,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Name or file of additional weights; the first one is the default; repeatable."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 makes the server reachable from the network.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free port.")
    ] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token that clients must send [default: KORNIA_SRGAN_TOKEN]"),
    ] = None,
    max_upload: Annotated[int, typer.Option(min=1, help="Largest file in megabytes.")] = 100,
    max_pixels: Annotated[int, typer.Option(min=1, help="Largest picture in megapixels.")] = 25,
    max_result: Annotated[int, typer.Option(min=1, help="Largest result in megapixels.")] = 400,
    max_waiting: Annotated[int, typer.Option(min=0, help="Most pictures in the queue.")] = 16,
    tile: Annotated[
        str, typer.Option(help="Side of a tile in pixels, or auto; 0 processes the whole picture at once.")
    ] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float32, float16, bfloat16, auto.")] = "auto",
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

    from kornia_srgan.demo.choices import choices_of
    from kornia_srgan.inference.tile_size import parse_tile
    from kornia_srgan.registry.plugins import load_plugins
    from kornia_srgan.serve.app import build_app
    from kornia_srgan.serve.run import serve
    from kornia_srgan.serve.workshop import Workshop
    from kornia_srgan.web_server import address_of, listen

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

            serve(app, listener, ready)
        finally:
            workshop.stop()

"""`kornia-srgan demo`: a page in the browser to enlarge photographs."""

from __future__ import annotations

from typing import Annotated

import typer

from kornia_srgan.cli.options import PluginOption, ThreadsOption

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def command(
    *,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Name or file of additional weights; repeatable."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 makes the page reachable from the network.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free port.")
    ] = 7860,
    max_upload: Annotated[int, typer.Option(min=1, help="Largest file in megabytes.")] = 100,
    max_pixels: Annotated[int, typer.Option(min=1, help="Largest photograph in megapixels.")] = 25,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto, float32, float16, bfloat16.")] = "auto",
    threads: ThreadsOption = None,
    plugin: PluginOption = None,
) -> None:
    """Enlarge photographs on a web page that runs on this machine.

    Needs the extra `demo`: pip install "kornia-srgan[demo]".
    """
    from kornia_srgan.demo.choices import choices_of
    from kornia_srgan.demo.server import require_gradio, serve, working_folder
    from kornia_srgan.registry.plugins import load_plugins
    from kornia_srgan.web_server import address_of, listen

    require_gradio()
    load_plugins(plugin or ())
    choices = choices_of(weights or ())
    with listen(host, port) as listener, working_folder() as folder:
        from kornia_srgan.demo.page import CSS, build_page
        from kornia_srgan.demo.service import Service

        service = Service(max_pixels * 1_000_000, device, dtype)
        page = build_page(service, choices, folder)
        if host not in LOOPBACK:
            typer.echo("note: whoever can reach this machine can use the page", err=True)

        def ready() -> None:
            typer.echo(f"{address_of(listener)} (Ctrl-C stops it)")

        try:
            serve(page, listener, css=CSS, max_upload=max_upload * 2**20, ready=ready)
        finally:
            service.stop()

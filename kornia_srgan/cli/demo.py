"""`kornia-srgan demo`: a page in the browser to enlarge photographs."""

from __future__ import annotations

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
)


def command(
    *,
    weights: MoreWeightsOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 7860,
    max_upload: MaxUploadOption = 100,
    max_pixels: MaxPixelsOption = 25,
    device: DeviceOption = "auto",
    dtype: ServedDtypeOption = "auto",
    threads: ThreadsOption = None,
    plugin: PluginOption = None,
) -> None:
    """Enlarge photographs on a web page that runs on this machine.

    Needs the extra `demo`: pip install "kornia-srgan[demo]".
    """
    from kornia_srgan.demo.choices import check_photographs
    from kornia_srgan.demo.server import require_gradio, serve_page, working_folder
    from kornia_srgan.registry.plugins import load_plugins
    from kornia_srgan.web_server import address_of, is_loopback, listen
    from kornia_srgan.weights.choices import choices_of

    require_gradio()
    load_plugins(plugin or ())
    choices = choices_of(weights or (), check=check_photographs)
    with listen(host, port) as listener, working_folder() as folder:
        from kornia_srgan.demo.page import CSS, build_page
        from kornia_srgan.demo.service import Service

        service = Service(max_pixels * 1_000_000, device, dtype)
        page = build_page(service, choices, folder)
        if not is_loopback(host):
            typer.echo("note: whoever can reach this machine can use the page", err=True)

        def ready() -> None:
            typer.echo(f"{address_of(listener)} (Ctrl-C stops it)")

        try:
            serve_page(page, listener, css=CSS, max_upload=max_upload * 2**20, ready=ready)
        finally:
            service.stop()

"""`kornia-srgan train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kornia_srgan.cli.options import HrOption, LrOption, PluginOption, ThreadsOption, as_pairs
from kornia_srgan.errors import UserError

STOPPED = 130  # a shell's own code for an interrupted command


def command(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="RECIPE|CONFIG.yaml", help="Name of a packaged recipe, or a config file."),
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", metavar="FILE", help="The recipe as an option.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data", metavar="DIR|URL", help="Folder of photographs, or address of tar shards; repeatable."
        ),
    ] = None,
    hr: HrOption = None,
    lr: LrOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="Folder of the run [default: runs/RECIPE]"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the newest checkpoint.")] = False,
    validate: Annotated[
        Path | None, typer.Option("--validate", metavar="DIR", help="Images to validate on.")
    ] = None,
    threads: ThreadsOption = None,
    plugin: PluginOption = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key, such as train.lr=2e-4; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the resolved run and stop before the first step.")
    ] = False,
) -> None:
    """Train a generator from a recipe.

    Photographs of any size and format can be used.
    """
    from kornia_srgan.config.io import load_config, recipe_names
    from kornia_srgan.network import is_remote
    from kornia_srgan.registry.plugins import load_plugins

    source = config or recipe
    if source is None or (config and recipe):
        raise UserError(
            "train takes one recipe or config file, such as 'train srgan --data DIR'; "
            f"packaged recipes: {', '.join(recipe_names())}",
            where="CONFIG",
        )
    load_plugins(plugin or [])
    values: dict[str, object] = {}
    for key, wanted in (("data.shards", True), ("data.folders", False)):
        names = [name for name in data or () if is_remote(name) is wanted]
        if names:
            values[key] = names
    pairs = as_pairs(hr, lr)
    if pairs:
        values["data.pairs"] = [{"hr": str(large), "lr": str(small)} for large, small in pairs]
    if validate:
        values["validation.folder"] = str(validate)
    resolved = load_config(source, override or [], values=values)
    if dry_run:
        from kornia_srgan.training.plan import describe_run

        typer.echo(describe_run(resolved))
        return
    from kornia_srgan.allocator import keep_freed_memory
    from kornia_srgan.training.launch import on_cpu
    from kornia_srgan.training.run import train

    if on_cpu():
        keep_freed_memory()  # this process does nothing else
    complete = train(resolved, output or Path("runs") / resolved.name, resume=resume)
    if not complete:
        raise typer.Exit(STOPPED)

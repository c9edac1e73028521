"""The Typer application. Its commands are modules of this package, imported on first use.

A command module `kornia_srgan/cli/<name>.py` has a function `command` whose annotated parameters are the
options and whose docstring is the help. It imports torch, timm and kornia inside its functions only, so that
`--help` is fast.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from kornia_srgan.cli.errors import exit_code_of
from kornia_srgan.processor import set_threads

COMMANDS = (
    "train",
    "data",
    "upscale",
    "evaluate",
    "prepare",
    "list",
    "describe",
    "models",
    "convert",
    "blend",
    "export",
    "benchmark",
    "demo",
    "serve",
    "doctor",
)


class LazyGroup(TyperGroup):
    """A group that imports the module of a command only for that command or its help."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands of this installation, in the order of `COMMANDS`."""
        return [name for name in COMMANDS if importlib.util.find_spec(f"{__package__}.{name}")]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None."""
        if cmd_name not in self.list_commands(ctx):
            return None
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(cmd_name, no_args_is_help=False)(
            importlib.import_module(f"{__package__}.{cmd_name}").command
        )
        return typer.main.get_command(single)


app = typer.Typer(
    name="kornia-srgan",
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,  # brackets in help texts are meant as written
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from kornia_srgan._version import __version__

        typer.echo(f"kornia-srgan {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Enlarge photographs. Train, evaluate and export super-resolution GANs."""
    set_threads(None)
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def run_command_line(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; errors become one line on stderr."""
    arguments = list(arguments)
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in options  # allowed anywhere, since one adds it to the line that has just failed
    while "--debug" in arguments[: len(options)]:
        arguments.remove("--debug")
        options = options[:-1]
    return exit_code_of(lambda: _invoke([at_home(argument) for argument in arguments]), debug=debug)


def at_home(argument: str) -> str:
    """Expand `~` where the shell did not, as in `-o=~/x`.

    An existing file of that name has priority, and `~backup.jpg` stays as it is: there is no such user.
    """
    option, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    if not value.startswith("~") or os.path.lexists(value):
        return argument
    return option + equals + os.path.expanduser(value)


def _invoke(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    result = command.main(args=arguments, prog_name="kornia-srgan", standalone_mode=False)
    return result if isinstance(result, int) else 0

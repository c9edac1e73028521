"""The command line; `main` is the entry point of `kornia-srgan`."""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Run the command line on `sys.argv` and exit."""
    import sys

    from kornia_srgan.cli.app import run_command_line

    sys.exit(run_command_line(sys.argv[1:]))

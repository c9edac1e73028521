"""The command line; `main` is the entry point of `kornia-srgan`."""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Run the command line on `sys.argv` and exit."""
    import sys

    from kornia_srgan.cli.app import run_command_line
    from kornia_srgan.cli.leaving import QuickExit

    leaving = QuickExit()
    leaving.code = run_command_line(sys.argv[1:])
    sys.exit(leaving.code)

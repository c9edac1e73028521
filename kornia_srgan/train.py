"""The command `train` for launchers: `accelerate launch -m kornia_srgan.train --config FILE --data DIR`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run `kornia-srgan train` with this process's arguments."""
    from kornia_srgan.cli.app import run_command_line

    return run_command_line(["train", *sys.argv[1:]])


if __name__ == "__main__":
    raise SystemExit(main())

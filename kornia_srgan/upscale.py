"""The command `upscale` for launchers: `accelerate launch -m kornia_srgan.upscale IN -o OUT`, `mpirun`.

The first process reads the command line, shows the progress and makes the report; all of them compute.
"""

from __future__ import annotations

import signal
import sys
from typing import Any


def main() -> int:
    """Run `kornia-srgan upscale` in the first process; in the others, work for it."""
    from kornia_srgan.cli.errors import exit_code_of

    return exit_code_of(_main)


def _main() -> int:
    from kornia_srgan.batch.launcher import dismiss, follow, this_launch
    from kornia_srgan.cli.app import run_command_line

    launch = this_launch()
    if launch is None:
        return run_command_line(["upscale", *_processes(), *sys.argv[1:]])
    if launch.rank == 0:
        signal.signal(signal.SIGTERM, _interrupt)  # how launchers stop the others when one is lost
        code = run_command_line(["upscale", "--launched", *sys.argv[1:]])
        dismiss()
        return code
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first one stops, and then this one does
    follow()
    return 0


def _processes() -> list[str]:
    """The option for as many processes as a launcher was asked for, where it starts one only."""
    from kornia_srgan.batch.launcher import processes_asked_for

    if any(argument.startswith("--num-processes") for argument in sys.argv[1:]):
        return []
    return ["--num-processes", str(processes_asked_for())]


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main())

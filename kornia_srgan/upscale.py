"""The command `upscale` for launchers: `accelerate launch -m kornia_srgan.upscale IN -o OUT`.

Each process does its share of the files: `--share` is taken from the launcher's RANK and WORLD_SIZE.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence


def shared(arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The arguments of one process: with its share, and a device of its own where there are several GPUs."""
    count = int(environ.get("WORLD_SIZE", "1"))
    if count == 1:
        return list(arguments)
    more = ["--share", f"{int(environ.get('RANK', '0')) + 1}/{count}"]
    if not any(argument.partition("=")[0] == "--device" for argument in arguments):
        import torch

        devices = torch.cuda.device_count()
        if devices > 1:
            more += ["--device", f"cuda:{int(environ.get('LOCAL_RANK', '0')) % devices}"]
    return [*more, *arguments]


def main() -> int:
    """Run `kornia-srgan upscale` with this process's arguments and its share."""
    from kornia_srgan.cli.app import run_command_line

    return run_command_line(["upscale", *shared(sys.argv[1:], os.environ)])


if __name__ == "__main__":
    raise SystemExit(main())

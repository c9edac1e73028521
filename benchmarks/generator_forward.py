"""Generators' speed, memory and operations: `kornia-srgan benchmark`, from a checkout.

    python -m benchmarks.generator_forward --generator srresnet --against eager --json FILE

See docs/guides/benchmarks.md.
"""

import sys

from kornia_srgan.cli.app import run_command_line

if __name__ == "__main__":
    sys.exit(run_command_line(["benchmark", *sys.argv[1:]]))

"""Generators' speed, memory and operations: `kornia-srgan benchmark`, from a checkout.

    python -m benchmarks.generator_forward --generator srresnet --against eager --json FILE

See docs/guides/benchmarks.md.
"""

import sys

from kornia_srgan.cli.app import run

if __name__ == "__main__":
    sys.exit(run(["benchmark", *sys.argv[1:]]))

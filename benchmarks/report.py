"""What every benchmark shares: as the package has it, the machine, medians with quartiles, the JSON file; and
the words for what a user got wrong.
"""

import argparse
import sys
from collections.abc import Callable

from kornia_srgan.benchmarking.machine import machine_facts
from kornia_srgan.benchmarking.measurements import Result
from kornia_srgan.benchmarking.schema import SCHEMA, make_document, write_json
from kornia_srgan.errors import UserError
from kornia_srgan.ops.measured import measure_in_turns

__all__ = [
    "SCHEMA",
    "Result",
    "at_least_one",
    "device_name",
    "machine_facts",
    "make_document",
    "measure_in_turns",
    "run_main",
    "write_json",
]


def run_main(main: Callable[[], None]) -> None:
    """Run a benchmark; what the user can mend is one line and exit code 2, as in `kornia-srgan`."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def at_least_one(text: str) -> int:
    """A number on the command line, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


at_least_one.__name__ = "whole number"  # argparse shows it: "invalid whole number value: 'x'"


def device_name(text: str) -> str:
    """A device that can be used here, for argparse."""
    from kornia_srgan.optimize.device import pick_device

    try:
        return str(pick_device(text))
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None

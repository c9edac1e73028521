"""What every benchmark shares, as the package has it: the machine, medians with quartiles, the JSON file."""

from kornia_srgan.benchmarking.machine import machine
from kornia_srgan.benchmarking.measurements import Result, alternate
from kornia_srgan.benchmarking.schema import SCHEMA, document, write_json

__all__ = ["SCHEMA", "Result", "alternate", "document", "machine", "write_json"]

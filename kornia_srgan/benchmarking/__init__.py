"""Speed, memory and operations of the forward pass, beside other engines."""

from __future__ import annotations

from kornia_srgan.benchmarking.forward import Plan, run_forward
from kornia_srgan.benchmarking.subjects import find_subjects

__all__ = ["Plan", "find_subjects", "run_forward"]

"""Speed, memory and operations of the forward pass, compared with other engines."""

from __future__ import annotations

from kornia_srgan.benchmarking.engines import Engine, ForwardPass
from kornia_srgan.benchmarking.forward import run_forward
from kornia_srgan.benchmarking.plan import Plan
from kornia_srgan.benchmarking.schema import ForwardDocument
from kornia_srgan.benchmarking.subjects import find_subjects

__all__ = ["Engine", "ForwardDocument", "ForwardPass", "Plan", "find_subjects", "run_forward"]

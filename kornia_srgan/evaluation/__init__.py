"""Statistics, LaTeX tables, plots and contact sheets of a report; `kornia_srgan.evaluate` makes the report.

The names below are imported on first use, so that the command line can read known sets without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kornia_srgan.evaluation.latex import to_latex
    from kornia_srgan.evaluation.pareto import plot_pareto
    from kornia_srgan.evaluation.pictures import CropSheets
    from kornia_srgan.evaluation.report import Report
    from kornia_srgan.evaluation.statistics import compare_models

__all__ = ["CropSheets", "Report", "compare_models", "plot_pareto", "to_latex"]

_HOMES = {
    "CropSheets": "pictures",
    "Report": "report",
    "compare_models": "statistics",
    "plot_pareto": "pareto",
    "to_latex": "latex",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kornia_srgan.evaluation' has no attribute '{name}'")
    return getattr(importlib.import_module(f"kornia_srgan.evaluation.{_HOMES[name]}"), name)

"""Sphinx configuration."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from generate import write_reference

# Before autodoc, which rewrites the annotations that pydantic reads where a model allows extra keys.
import kornia_srgan.benchmarking.schema  # noqa: F401
from kornia_srgan import __version__

project = "kornia_srgan"
author = "The kornia_srgan authors"
copyright = "2026, the kornia_srgan authors"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
exclude_patterns = ["_build", "images/CREDITS.md"]
html_theme = "furo"
html_title = f"kornia_srgan {__version__}"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "off"  # docs/run_notebooks.py runs them and keeps the outputs

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = True
napoleon_numpy_docstring = False


def setup(app):
    write_reference(Path(__file__).parent / "reference")

"""Installed distributions with a plug-in, written as pip leaves them."""

import textwrap
from pathlib import Path


def make_distribution(site: Path, name: str, module: str, source: str, entry: str = "backbones") -> None:
    """A module and the metadata whose entry point names it, in a folder that Python looks through."""
    (site / f"{module}.py").write_text(textwrap.dedent(source))
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[kornia_srgan.plugins]\n{entry} = {module}\n")

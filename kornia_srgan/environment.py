"""The commit that this source tree stands at. Standard library only."""

from __future__ import annotations

import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def revision(root: Path = _ROOT) -> str:
    """The commit of a source tree, `-dirty` after it where files differ; empty for an installed package.

    An installed package may lie in the checkout of another project, whose commit would mean nothing.
    """
    if not (root / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()

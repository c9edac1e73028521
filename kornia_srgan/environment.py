"""What this installation is made of: commit, versions, extras. Standard library only."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from kornia_srgan.errors import MissingExtraError

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


def package_version(name: str) -> str | None:
    """The installed version of a distribution; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def require_extra(extra: str, *modules: str, purpose: str) -> None:
    """Check that the packages of an extra are there, before any work.

    Args:
        extra: The extra of this package that brings them.
        modules: What must be importable; nothing is imported here.
        purpose: What needs them, as the message begins: `the demo`.

    Raises:
        MissingExtraError: Names what is missing and the command that installs it.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"{purpose} needs {', '.join(missing)}, which is not installed; "
            f"run: pip install 'kornia-srgan[{extra}]'"
        )

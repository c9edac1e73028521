"""Facts about this installation: commit, versions, extras, cache. Standard library only."""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from kornia_srgan.errors import MissingExtraError, UserError

_ROOT = Path(__file__).resolve().parents[1]


def git_revision(root: Path = _ROOT) -> str:
    """The commit of a source tree, with `-dirty` if files differ; empty for an installed package.

    An installed package may lie inside the checkout of another project, whose commit would be misleading.
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
    """The installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def is_installed(module: str) -> bool:
    """Whether a module can be imported; it is not."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that the module is in
        return False


def cache_folder() -> Path:
    """Where downloads and measurements are kept; `KORNIA_SRGAN_CACHE` names another folder."""
    named = os.environ.get("KORNIA_SRGAN_CACHE")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kornia_srgan"


def install_command(extra: str) -> str:
    """The command that installs an extra of this package."""
    return f"pip install 'kornia-srgan[{extra}]'"


def require_extra(
    extra: str,
    *modules: str,
    purpose: str,
    any_of: bool = False,
    error: type[UserError] = MissingExtraError,
    otherwise: str = "",
) -> None:
    """Check that the packages of an extra are installed, before any work.

    Args:
        extra: The extra of this package that installs them.
        modules: The modules to look for; they are not imported.
        purpose: What needs them, as the start of the message: `the demo`.
        any_of: One of the modules is enough.
        error: The error to raise.
        otherwise: What helps without the extra, as the end of the message: `write TIFF`.

    Raises:
        MissingExtraError, or `error`: Names what is missing and the command that installs it.
    """
    missing = [name for name in modules if not is_installed(name)]
    if not missing or (any_of and len(missing) < len(modules)):
        return
    needed = " or ".join(missing) if any_of else ", ".join(missing)
    raise error(
        f"{purpose} needs {needed}, which is not installed; run: {install_command(extra)}"
        f"{'; or ' if otherwise else ''}{otherwise}"
    )

"""The modules of the package, by name."""

from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "kornia_srgan"


@cache
def modules():
    return {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

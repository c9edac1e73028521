"""Loads components of users and other packages.

There are three ways to register components:

1. The decorator in your own script.
2. A file or module in `plugins:` of a config or `--plugin` of a command; a failed import is an error.
3. The entry-point group `kornia_srgan.plugins` of an installed distribution; a failed import is a warning.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
import warnings
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from kornia_srgan.errors import PluginError
from kornia_srgan.registry.entry import registering_from

ENTRY_POINT_GROUP = "kornia_srgan.plugins"


def load_plugins(specs: Iterable[str | Path]) -> None:
    """Import each plug-in (see `load_plugin`), in order."""
    for spec in specs:
        load_plugin(spec)


def load_plugin(spec: str | Path) -> None:
    """Import a plug-in, which runs its decorators. Loading it again does nothing.

    Args:
        spec: A Python file (`my_backbone.py`), whose folder is added to `sys.path` as for a script, or the
            name of an importable module (`my_pkg.backbones`).

    Raises:
        PluginError: If the file does not exist or the import fails.
    """
    text = str(spec)
    if text.endswith(".py") or "/" in text or "\\" in text:
        _load_file(Path(text).expanduser().resolve())
        return
    try:
        with registering_from(text):
            importlib.import_module(text)
    except Exception as error:
        raise PluginError(
            f"plug-in '{text}' could not be imported: {type(error).__name__}: {error}", where=text
        ) from error


@cache
def _load_file(path: Path) -> None:
    if not path.is_file():
        raise PluginError(f"plug-in file not found: {path}", where=path)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    name = path.stem if path.stem not in sys.modules else f"kornia_srgan_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"plug-in file is not a Python file: {path}", where=path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that its classes can be pickled by data workers
    try:
        with registering_from(str(path)):
            spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        where = f" (line {lines[-1]})" if lines else ""
        raise PluginError(
            f"plug-in '{path}'{where} could not be imported: {type(error).__name__}: {error}", where=path
        ) from error


@cache
def load_entry_points() -> None:
    """Import every installed plug-in of the group once, in the same order on every rank."""
    found = sorted(
        entry_points(group=ENTRY_POINT_GROUP), key=lambda e: (e.dist.name if e.dist else "", e.name)
    )
    for point in found:
        distribution = point.dist.name if point.dist else point.value
        try:
            with registering_from(distribution):
                point.load()
        except Exception as error:
            warnings.warn(
                f"plug-in '{point.name}' of {distribution} could not be imported and is left out: "
                f"{type(error).__name__}: {error}",
                stacklevel=2,
            )

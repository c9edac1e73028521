"""Packages that are installed here, as if they were not."""

import sys


def pretend_missing(monkeypatch, *modules):
    """Neither found nor importable, until the test ends."""
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)

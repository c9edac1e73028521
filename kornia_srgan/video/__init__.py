"""Enlarges video clips; needs PyAV (extra `video`)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kornia_srgan.video.options import VideoOptions
    from kornia_srgan.video.run import enlarge_clip

__all__ = ["VideoOptions", "enlarge_clip"]

_HOMES = {"VideoOptions": "options", "enlarge_clip": "run"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kornia_srgan.video' has no attribute '{name}'")
    return getattr(importlib.import_module(f"kornia_srgan.video.{_HOMES[name]}"), name)

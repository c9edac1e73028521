"""Super-resolution GANs on Kornia: named components, a small trainer, self-describing weights, an upscaler.

The public names below are imported when first touched, so that `import kornia_srgan` is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kornia_srgan._version import __version__

if TYPE_CHECKING:
    from kornia_srgan.assembly import assemble, load_generator
    from kornia_srgan.config.io import load_config
    from kornia_srgan.config.model import TrainConfig
    from kornia_srgan.errors import KorniaSRGANError, UserError
    from kornia_srgan.evaluation.evaluate import evaluate
    from kornia_srgan.inference.kornia_module import SuperResolve
    from kornia_srgan.inference.upscaler import Upscaler
    from kornia_srgan.registry.catalog import (
        ADVERSARIAL_LOSSES,
        AUGMENTATIONS,
        DEGRADATION_STAGES,
        DEGRADATIONS,
        DISCRIMINATORS,
        FEATURE_EXTRACTORS,
        GENERATORS,
        IMAGE_LOSSES,
        METRICS,
        RESIZERS,
        get_registry,
    )
    from kornia_srgan.registry.plugins import load_plugins
    from kornia_srgan.registry.registry import Registry
    from kornia_srgan.weights.files import load_weights, read_spec, save_weights
    from kornia_srgan.weights.spec import WeightSpec

__all__ = [
    "ADVERSARIAL_LOSSES",
    "AUGMENTATIONS",
    "DEGRADATIONS",
    "DEGRADATION_STAGES",
    "DISCRIMINATORS",
    "FEATURE_EXTRACTORS",
    "GENERATORS",
    "IMAGE_LOSSES",
    "METRICS",
    "RESIZERS",
    "KorniaSRGANError",
    "Registry",
    "SuperResolve",
    "TrainConfig",
    "Upscaler",
    "UserError",
    "WeightSpec",
    "__version__",
    "assemble",
    "evaluate",
    "get_registry",
    "load_config",
    "load_generator",
    "load_plugins",
    "load_weights",
    "read_spec",
    "save_weights",
]

_HOMES = {
    "assembly": ("assemble", "load_generator"),
    "registry.catalog": (
        "ADVERSARIAL_LOSSES",
        "AUGMENTATIONS",
        "DEGRADATIONS",
        "DEGRADATION_STAGES",
        "DISCRIMINATORS",
        "FEATURE_EXTRACTORS",
        "GENERATORS",
        "IMAGE_LOSSES",
        "METRICS",
        "RESIZERS",
        "get_registry",
    ),
    "config.model": ("TrainConfig",),
    "config.io": ("load_config",),
    "errors": ("KorniaSRGANError", "UserError"),
    "evaluation.evaluate": ("evaluate",),
    "inference.kornia_module": ("SuperResolve",),
    "inference.upscaler": ("Upscaler",),
    "registry.plugins": ("load_plugins",),
    "registry.registry": ("Registry",),
    "weights.files": ("load_weights", "read_spec", "save_weights"),
    "weights.spec": ("WeightSpec",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'kornia_srgan' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"kornia_srgan.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

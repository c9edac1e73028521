"""Enlarge photographs; train, evaluate and export super-resolution GANs on Kornia.

The public names below are imported on first use, so that `import kornia_srgan` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kornia_srgan._version import __version__

if TYPE_CHECKING:
    from kornia_srgan.assembly import NamedLoss, assemble, load_generator
    from kornia_srgan.components.generators.timm_backbone import FeatureUpsampler
    from kornia_srgan.config.io import load_config
    from kornia_srgan.config.model import TrainConfig
    from kornia_srgan.data.pixels import PixelFormat
    from kornia_srgan.data.source import open_crops
    from kornia_srgan.data.stream import open_shards
    from kornia_srgan.errors import KorniaSRGANError, UserError
    from kornia_srgan.evaluation.evaluate import evaluate
    from kornia_srgan.export import export_generator
    from kornia_srgan.inference.files import upscale_file
    from kornia_srgan.inference.kornia_module import SuperResolve, as_kornia
    from kornia_srgan.inference.picture import enlarge
    from kornia_srgan.inference.upscaler import Upscaler
    from kornia_srgan.optimize.optimize import optimize_for_inference
    from kornia_srgan.photos.decode import read_photo
    from kornia_srgan.photos.encode import write_photo
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
    from kornia_srgan.training.run import train
    from kornia_srgan.training.steps import discriminator_loss, generator_loss, make_batch
    from kornia_srgan.weights.card import model_card
    from kornia_srgan.weights.files import load_weights, read_spec, save_weights
    from kornia_srgan.weights.publish import push_to_hub
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
    "FeatureUpsampler",
    "KorniaSRGANError",
    "NamedLoss",
    "PixelFormat",
    "Registry",
    "SuperResolve",
    "TrainConfig",
    "Upscaler",
    "UserError",
    "WeightSpec",
    "__version__",
    "as_kornia",
    "assemble",
    "discriminator_loss",
    "enlarge",
    "evaluate",
    "export_generator",
    "generator_loss",
    "get_registry",
    "load_config",
    "load_generator",
    "load_plugins",
    "load_weights",
    "make_batch",
    "model_card",
    "open_crops",
    "open_shards",
    "optimize_for_inference",
    "push_to_hub",
    "read_photo",
    "read_spec",
    "save_weights",
    "train",
    "upscale_file",
    "write_photo",
]

_HOMES = {
    "assembly": (
        "NamedLoss",
        "assemble",
        "load_generator",
    ),
    "components.generators.timm_backbone": ("FeatureUpsampler",),
    "config.io": ("load_config",),
    "config.model": ("TrainConfig",),
    "data.pixels": ("PixelFormat",),
    "data.source": ("open_crops",),
    "data.stream": ("open_shards",),
    "errors": (
        "KorniaSRGANError",
        "UserError",
    ),
    "evaluation.evaluate": ("evaluate",),
    "export": ("export_generator",),
    "inference.files": ("upscale_file",),
    "inference.kornia_module": (
        "SuperResolve",
        "as_kornia",
    ),
    "inference.picture": ("enlarge",),
    "inference.upscaler": ("Upscaler",),
    "optimize.optimize": ("optimize_for_inference",),
    "photos.decode": ("read_photo",),
    "photos.encode": ("write_photo",),
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
    "registry.plugins": ("load_plugins",),
    "registry.registry": ("Registry",),
    "training.run": ("train",),
    "training.steps": (
        "discriminator_loss",
        "generator_loss",
        "make_batch",
    ),
    "weights.card": ("model_card",),
    "weights.files": (
        "load_weights",
        "read_spec",
        "save_weights",
    ),
    "weights.publish": ("push_to_hub",),
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

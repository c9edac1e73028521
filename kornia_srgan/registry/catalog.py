"""The registries, and every built-in component by name.

Built-in components are declared by import path in the tables of `networks`, `transforms` and `objectives`,
and imported on first use.
"""

from __future__ import annotations

from typing import Any

from kornia_srgan.contracts import (
    AdversarialLoss,
    Augmentation,
    Degradation,
    DegradationStage,
    Discriminator,
    FeatureExtractor,
    Generator,
    ImageLoss,
    Metric,
    Resizer,
)
from kornia_srgan.errors import UnknownComponentError, did_you_mean
from kornia_srgan.registry import networks, objectives, transforms
from kornia_srgan.registry.entry import normalise_name
from kornia_srgan.registry.plugins import load_entry_points
from kornia_srgan.registry.registry import Registry

_NESTED: dict[Any, Registry[Any]] = {}  # filled below: each contract and the registry that builds it

GENERATORS: Registry[Generator] = Registry("generator", load_entry_points, _NESTED)
DISCRIMINATORS: Registry[Discriminator] = Registry("discriminator", load_entry_points, _NESTED)
FEATURE_EXTRACTORS: Registry[FeatureExtractor] = Registry("feature_extractor", load_entry_points, _NESTED)
IMAGE_LOSSES: Registry[ImageLoss] = Registry("image_loss", load_entry_points, _NESTED)
ADVERSARIAL_LOSSES: Registry[AdversarialLoss] = Registry("adversarial_loss", load_entry_points, _NESTED)
AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation", load_entry_points, _NESTED)
RESIZERS: Registry[Resizer] = Registry("resizer", load_entry_points, _NESTED)
DEGRADATIONS: Registry[Degradation] = Registry("degradation", load_entry_points, _NESTED)
DEGRADATION_STAGES: Registry[DegradationStage] = Registry("degradation_stage", load_entry_points, _NESTED)
METRICS: Registry[Metric] = Registry("metric", load_entry_points, _NESTED)

_NESTED |= {
    Generator: GENERATORS,
    Discriminator: DISCRIMINATORS,
    FeatureExtractor: FEATURE_EXTRACTORS,
    ImageLoss: IMAGE_LOSSES,
    AdversarialLoss: ADVERSARIAL_LOSSES,
    Augmentation: AUGMENTATIONS,
    Resizer: RESIZERS,
    Degradation: DEGRADATIONS,
    DegradationStage: DEGRADATION_STAGES,
    Metric: METRICS,
}
REGISTRIES: dict[str, Registry[Any]] = {registry.kind: registry for registry in _NESTED.values()}

for _registry, _room, _table in (
    (GENERATORS, "components.generators", networks.GENERATORS),
    (DISCRIMINATORS, "components.discriminators", networks.DISCRIMINATORS),
    (FEATURE_EXTRACTORS, "components.features", networks.FEATURE_EXTRACTORS),
    (AUGMENTATIONS, "components.transforms", transforms.AUGMENTATIONS),
    (RESIZERS, "components.transforms", transforms.RESIZERS),
    (DEGRADATIONS, "components.transforms", transforms.DEGRADATIONS),
    (DEGRADATION_STAGES, "components.transforms", transforms.DEGRADATION_STAGES),
    (IMAGE_LOSSES, "components.losses", objectives.IMAGE_LOSSES),
    (ADVERSARIAL_LOSSES, "components.losses", objectives.ADVERSARIAL_LOSSES),
    (METRICS, "evaluation", objectives.METRICS),
):
    _registry.declare_table(f"kornia_srgan.{_room}", _table)


def get_registry(kind: str) -> Registry[Any]:
    """The registry of a kind, by its singular or plural name.

    Raises:
        UnknownComponentError: If there is no such kind.
    """
    key = normalise_name(kind)
    for name, registry in REGISTRIES.items():
        if key in (name, f"{name}s", f"{name}es"):
            return registry
    hint = did_you_mean(key, REGISTRIES)
    raise UnknownComponentError(
        f"unknown kind '{kind}'{hint or ';'} known: {', '.join(REGISTRIES)}", where="kind"
    )

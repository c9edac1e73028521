"""The interface to spandrel (extra `community`): detects the architecture of weights and builds the network.

spandrel supports the architectures that the community trains. It is only used for weights that this package
does not recognise. `spandrel_extra_arches` adds more if it is installed. Its code is under other licences,
some of which forbid commercial use, so no extra of this package installs it.
"""

from __future__ import annotations

import importlib
import inspect
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from kornia_srgan.environment import install_command, is_installed, require_extra
from kornia_srgan.errors import ArgumentError, WeightsError, did_you_mean
from kornia_srgan.explain import one_line

if TYPE_CHECKING:
    from spandrel import ArchRegistry, ImageModelDescriptor  # pyright: ignore[reportMissingImports]
    from torch import Tensor, nn

INSTALL = install_command("community")
_INPAINTING = ("LaMa", "MAT")  # they take a mask beside the picture
_LAMA_KEY = "model.1.bn_l.running_mean"  # spandrel knows it only with what stands before `model`
EXTRA_ARCHITECTURES = "spandrel_extra_arches"
_SCALE_ARGUMENTS = ("scale", "upscale", "upscaling_factor", "upscale_factor", "up_scale")


@runtime_checkable
class StatesArguments(Protocol):
    """A network of spandrel: it keeps the arguments that it was built with."""

    hyperparameters: dict[str, Any]


@dataclass(frozen=True)
class CommunityModel:
    """A network of spandrel as it is written into a header.

    Attributes:
        architecture: spandrel's name of the architecture, such as `HAT`.
        model: The network's class there; an architecture may have several.
        arguments: The class's arguments, plain JSON.
        scale: Factor of enlargement.
        state: The network's tensors.
    """

    architecture: str
    model: str
    arguments: dict[str, Any]
    scale: int
    state: dict[str, Tensor]


def read_community(state: Mapping[str, Tensor]) -> CommunityModel | None:
    """What some tensors are, or None where spandrel does not know them.

    Raises:
        MissingExtraError: If spandrel is not installed.
        WeightsError: If they are of an architecture that does not enlarge pictures, or do not fit theirs.
    """
    registry = _registry()
    from spandrel import ImageModelDescriptor  # pyright: ignore[reportMissingImports]

    if any(key.endswith(_LAMA_KEY) for key in state):
        raise _needs_a_mask("LaMa")
    found = next((s for s in registry.architectures("detection") if s.detect(dict(state))), None)
    if found is None:
        return None
    name = found.architecture.id
    if name in _INPAINTING:
        raise _needs_a_mask(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            described = found.architecture.load(dict(state))
    except Exception as error:  # from shapes that it did not expect: any kind
        reason = one_line(error, 200)
        raise WeightsError(f"it looks like {name}, but spandrel cannot load it: {reason}") from None
    if not isinstance(described, ImageModelDescriptor):
        raise WeightsError(f"it is {name}, which needs more than a picture; that is not offered here")
    network = described.model
    if not isinstance(network, StatesArguments):
        raise WeightsError(f"it is {name}, and spandrel does not say which arguments it was built with")
    return CommunityModel(
        name,
        _class_name(name, type(network)),
        _plain(type(network), network.hyperparameters, name),
        described.scale,
        network.state_dict(),
    )


def _needs_a_mask(name: str) -> WeightsError:
    return WeightsError(f"it is {name}, which fills in masked parts of pictures; that is not offered here")


def build_community(
    architecture: str, model: str, arguments: Mapping[str, Any], scale: int
) -> tuple[nn.Module, ImageModelDescriptor[Any]]:
    """A network with fresh weights, and spandrel's description of it.

    Args:
        architecture: spandrel's name of it; case does not matter.
        model: The network's class; by default the architecture's only one.
        arguments: The class's arguments. The one that sets the scale may be left out.
        scale: Factor of enlargement.

    Raises:
        MissingExtraError: If spandrel is not installed.
        ArgumentError: If there is no such architecture or class, or the arguments do not fit.
    """
    registry = _registry()
    from spandrel import ImageModelDescriptor  # pyright: ignore[reportMissingImports]

    known = {s.architecture.id: s.architecture for s in registry}
    name = next((n for n in known if n.lower() == architecture.lower()), None)
    if name is None:
        hint = did_you_mean(architecture, known)
        raise ArgumentError(
            f"unknown architecture '{architecture}'{hint or ';'} known: {', '.join(sorted(known))}",
            where="architecture",
        )
    classes = _classes(name)
    if model not in classes:
        if model or len(classes) != 1:
            raise ArgumentError(f"{name} has the models {', '.join(classes)}; got '{model}'", where="model")
        model = next(iter(classes))
    made = classes[model]
    given = {key: value for key, value in arguments.items() if not key.endswith("_path")}  # would load a file
    parameters = inspect.signature(made.__init__).parameters
    for key in _SCALE_ARGUMENTS:
        if key in parameters and key not in given:
            given[key] = scale
    try:
        with warnings.catch_warnings():  # of torch, about how these networks are written
            warnings.simplefilter("ignore")
            network = made(**given)
            described = known[name].load(dict(network.state_dict()))
    except Exception as error:
        reason = one_line(error, 200)
        raise ArgumentError(f"{name} cannot be built of {given}: {reason}", where="arguments") from error
    if not isinstance(described, ImageModelDescriptor):
        raise ArgumentError(
            f"{name} needs more than a picture; that is not offered here", where="architecture"
        )
    if described.scale != scale:
        raise ArgumentError(
            f"these arguments of {name} give x{described.scale}, not x{scale}", where="arguments"
        )
    return network, described


def _registry() -> ArchRegistry:
    require_extra("community", "spandrel", purpose="weights of the community's architectures")
    from spandrel import MAIN_REGISTRY  # pyright: ignore[reportMissingImports]

    registry = MAIN_REGISTRY.copy()
    if is_installed(EXTRA_ARCHITECTURES):
        extra = importlib.import_module(EXTRA_ARCHITECTURES)
        registry.add(*extra.EXTRA_REGISTRY, ignore_duplicates=True)
    return registry


def is_extra(architecture: str) -> bool:
    """Whether an architecture's code comes from `spandrel_extra_arches`, under licences of its own."""
    return type(_registry()[architecture].architecture).__module__.startswith(EXTRA_ARCHITECTURES)


def _classes(architecture: str) -> dict[str, type[nn.Module]]:
    """The networks of an architecture by the names that its module gives them."""
    from torch import nn

    module = importlib.import_module(type(_registry()[architecture].architecture).__module__)
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, nn.Module) and hasattr(value, "hyperparameters")
    }


def _class_name(architecture: str, kind: type[nn.Module]) -> str:
    return next(name for name, value in _classes(architecture).items() if value is kind)


def _plain(kind: type[nn.Module], arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The arguments that differ from the defaults, as plain JSON."""
    parameters = inspect.signature(kind.__init__).parameters
    told = {k: v for k, v in arguments.items() if k not in parameters or parameters[k].default != v}
    try:
        return json.loads(json.dumps(told))
    except (TypeError, ValueError):
        raise WeightsError(f"{name}'s arguments cannot be written into a header: {told}") from None

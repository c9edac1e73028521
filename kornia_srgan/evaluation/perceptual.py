"""LPIPS and DISTS through torchmetrics (extra `perceptual`), on torchvision's backbones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal
from urllib.error import URLError

from torch import Tensor

from kornia_srgan.errors import MissingExtraError, OfflineError


class LPIPS:
    """Learned perceptual image patch similarity; 0 for equal images, lower is better.

    Zhang et al. 2018, arXiv 1801.03924.

    Args:
        net: The backbone. Papers quote `alex` or `vgg`; the two do not compare.

    Raises:
        MissingExtraError: If torchmetrics is not installed.
        OfflineError: If the backbone's weights are not here and cannot be downloaded.
    """

    on: Literal["protocol", "rgb"] = "rgb"
    higher_is_better = False

    def __init__(self, *, net: Literal["alex", "vgg", "squeeze"] = "alex") -> None:
        image = _torchmetrics()
        self._metric = _build(
            lambda: image.LearnedPerceptualImagePatchSimilarity(net_type=net, normalize=True),
            f"LPIPS needs torchvision's ImageNet weights of '{net}'",
        )

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, 3, H, W)` in [0, 1]: `(B,)`."""
        return _each(self._metric, images, references)


class DISTS:
    """Deep image structure and texture similarity; 0 for equal images, lower is better.

    Ding et al. 2020, arXiv 2004.07728.

    Raises:
        MissingExtraError: If torchmetrics is not installed.
        OfflineError: If the backbone's weights are not here and cannot be downloaded.
    """

    on: Literal["protocol", "rgb"] = "rgb"
    higher_is_better = False

    def __init__(self) -> None:
        _torchmetrics()
        from torchmetrics.functional.image.dists import DISTSNetwork  # the metric class makes one a call

        self._metric = _build(DISTSNetwork, "DISTS needs torchvision's ImageNet weights of 'vgg16'")

    def __call__(self, images: Tensor, references: Tensor) -> Tensor:
        """Score `(B, 3, H, W)` in [0, 1]: `(B,)`."""
        return _each(self._metric, images, references)


def _torchmetrics() -> Any:
    try:
        import torchmetrics.image
    except ImportError:
        raise MissingExtraError(
            "LPIPS and DISTS need torchmetrics: pip install 'kornia-srgan[perceptual]'"
        ) from None
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
            "or leave the metric out"
        ) from None


def _each(metric: Any, images: Tensor, references: Tensor) -> Tensor:
    """A metric that averages its batch, image by image."""
    import torch

    with torch.inference_mode():
        pairs = zip(images.float().split(1), references.float().split(1), strict=True)
        return torch.stack([metric(image, reference).double() for image, reference in pairs])

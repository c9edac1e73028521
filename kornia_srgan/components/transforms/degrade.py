"""Degradations: make realistic LR images from HR images, in batch on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kornia_srgan.components.transforms.seeding import check_seeds
from kornia_srgan.components.transforms.stages import Stage, build_stages, run_stages
from kornia_srgan.contracts import Canvas
from kornia_srgan.errors import ArgumentError


class DegradationPipeline:
    """Applies stages in order; at the end, the images must have the requested size.

    The result depends only on the image, its seed and the size, not on the batch or on torch's global
    generators, which are not changed. Computed in float32 even under autocast, without a gradient.

    Args:
        stages: Each a degradation stage: an object, a registered name or `{name, args}`.
        quantize: Round the result to grey levels, like a file.

    Raises:
        ArgumentError: If there is no stage, or one does not fit.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.transforms.degrade import DegradationPipeline
        >>> degrade = DegradationPipeline(stages=("blur", "resize", {"name": "jpeg", "args": {"p": 0.5}}))
        >>> degrade(torch.rand(2, 3, 32, 32), seeds=(1, 2), size=(8, 8)).shape
        torch.Size([2, 3, 8, 8])
    """

    def __init__(self, *, stages: tuple[Stage, ...], quantize: bool = True) -> None:
        if not stages:
            raise ArgumentError("pipeline: stages is empty; it needs at least 'resize'", where="stages")
        self.stages = build_stages(stages, path="pipeline.stages")
        self.quantize = quantize

    @torch.no_grad()
    def __call__(self, images: Tensor, seeds: Sequence[int], size: tuple[int, int]) -> Tensor:
        """Degrade `(B, 3, H, W)` in [0, 1] to `(B, 3, *size)` in [0, 1], float32; one seed per image.

        Raises:
            ArgumentError: If the stages end at another size, or the number of seeds is another.
        """
        check_seeds(images, seeds)
        height, width = images.shape[-2:]
        canvas = Canvas(images.float(), (height,) * len(images), (width,) * len(images))
        with torch.autocast(images.device.type, enabled=False):
            canvas = run_stages(self.stages, canvas, seeds, size, stream="pipeline")
        ended = set(zip(canvas.heights, canvas.widths, strict=True))
        if ended - {tuple(size)}:
            h, w = ended.pop()
            raise ArgumentError(
                f"pipeline: the stages end at {h}x{w}, not at {size[0]}x{size[1]}; add 'resize'",
                where="stages",
            )
        pixels = canvas.pixels[..., : size[0], : size[1]].clamp(0, 1)
        return torch.round(pixels * 255) / 255 if self.quantize else pixels


def real_esrgan(
    *,
    second_blur: float = 0.8,
    sigma: tuple[float, float] = (0.2, 3.0),
    second_sigma: tuple[float, float] = (0.2, 1.5),
    factor: tuple[float, float] = (0.15, 1.5),
    second_factor: tuple[float, float] = (0.3, 1.2),
    noise: tuple[float, float] = (1.0, 30.0),
    second_noise: tuple[float, float] = (1.0, 25.0),
    poisson: tuple[float, float] = (0.05, 3.0),
    second_poisson: tuple[float, float] = (0.05, 2.5),
    quality: tuple[float, float] = (30.0, 95.0),
    second_quality: tuple[float, float] = (30.0, 95.0),
    sinc: float = 0.8,
) -> DegradationPipeline:
    """Real-ESRGAN's second-order degradation (Wang et al. 2021), with its published settings.

    Blur, resize, noise and JPEG, twice; then a resize to the final size with a sinc filter, before or after
    the second JPEG. Sizes, kernels, noise and quality are drawn for each image, where the original draws some
    for a whole batch.

    Args:
        second_blur: Probability of the second blur.
        sigma: Range of the first blur's standard deviation.
        second_sigma: Of the second's.
        factor: Range of the first resize's factor.
        second_factor: Of the second's, in units of the final size.
        noise: Range of the first Gaussian noise, in grey levels.
        second_noise: Of the second.
        poisson: Range of the factor on the first Poisson noise.
        second_poisson: On the second.
        quality: Range of the first JPEG quality.
        second_quality: Of the second.
        sinc: Probability of the final sinc filter.
    """
    return DegradationPipeline(
        stages=(
            {"name": "blur", "args": {"sigma": sigma}},
            {"name": "random_resize", "args": {"factor": factor, "shares": (0.2, 0.7, 0.1)}},
            {"name": "noise", "args": {"sigma": noise, "poisson": poisson}},
            {"name": "jpeg", "args": {"quality": quality}},
            {"name": "blur", "args": {"p": second_blur, "sigma": second_sigma}},
            {
                "name": "random_resize",
                "args": {"factor": second_factor, "shares": (0.3, 0.4, 0.3), "of": "output"},
            },
            {"name": "noise", "args": {"sigma": second_noise, "poisson": second_poisson}},
            {
                "name": "either_order",
                "args": {
                    "first": ("resize", {"name": "sinc", "args": {"p": sinc}}),
                    "second": ({"name": "jpeg", "args": {"quality": second_quality}},),
                },
            },
        )
    )

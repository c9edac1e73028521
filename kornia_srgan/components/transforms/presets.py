"""Degradation presets in three strengths: mild, photo and heavy."""

from __future__ import annotations

from typing import Any

from kornia_srgan.components.transforms.degrade import DegradationPipeline

# Most pictures were shrunk by something like MATLAB's bicubic; few by a kernel that skips pixels.
_KERNELS = ("antialiased", "antialiased", "antialiased", "antialiased_bilinear", "lanczos", "area")


def _stage(name: str, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args}


def mild() -> DegradationPipeline:
    """Well-kept photographs: a little blur and noise, a good JPEG or WebP, sometimes saved twice.

    About one image in five is only resized.
    """
    return DegradationPipeline(
        stages=(
            _stage("blur", p=0.2, sigma=(0.2, 0.8), sinc=0.0, size=7),
            _stage("resize", kernels=_KERNELS),
            _stage("sharpen", p=0.1, amount=(0.1, 0.5), sigma=(0.5, 1.0)),
            _stage("camera_noise", p=0.3, read=(0.2, 2.0), shot=(0.2, 3.0)),
            _stage("jpeg", p=0.5, quality=(75.0, 98.0), subsample=0.7, shift=True),
            _stage("webp", p=0.1, quality=(75.0, 98.0)),
            _stage("jpeg", p=0.2, quality=(80.0, 98.0), subsample=0.7, shift=True),
        )
    )


def photo() -> DegradationPipeline:
    """Typical photographs: phone noise, sharpening halos, JPEG from quality 30 up, sometimes saved twice.

    About one image in ten is only resized.
    """
    return DegradationPipeline(
        stages=(
            _stage("blur", p=0.2, sigma=(0.2, 1.4), sinc=0.05, size=11),
            _stage("resize", kernels=_KERNELS),
            _stage("sharpen", p=0.15, amount=(0.2, 1.0), sigma=(0.5, 1.5)),
            _stage("camera_noise", p=0.3, read=(0.5, 5.0), shot=(0.5, 10.0)),
            _stage("noise", p=0.3, gaussian=0.8, sigma=(0.5, 12.0), poisson=(0.05, 1.0), grey=0.2),
            _stage("jpeg", p=0.6, quality=(30.0, 95.0), subsample=0.8, shift=True),
            _stage("webp", p=0.1, quality=(30.0, 95.0)),
            _stage("jpeg", p=0.15, quality=(50.0, 95.0), subsample=0.8, shift=True),
        )
    )


def heavy() -> DegradationPipeline:
    """Pictures that were shared many times: enlarged and shrunk, noisy, strongly compressed, twice."""
    return DegradationPipeline(
        stages=(
            _stage("blur", p=0.6, sigma=(0.2, 2.4)),
            _stage(
                "random_resize",
                p=0.6,
                factor=(0.3, 1.3),
                shares=(0.2, 0.7, 0.1),
                kernels=("area", "bilinear", "bicubic", "antialiased", "lanczos"),
            ),
            _stage("camera_noise", p=0.5, read=(1.0, 10.0), shot=(1.0, 20.0), grain=(0.0, 1.2)),
            _stage("jpeg", p=0.7, quality=(30.0, 95.0), subsample=0.8, shift=True),
            _stage("blur", p=0.3, sigma=(0.2, 1.2)),
            _stage("resize", kernels=(*_KERNELS, "bilinear", "bicubic")),
            _stage("sharpen", p=0.3, amount=(0.2, 1.5)),
            _stage("noise", p=0.5, sigma=(1.0, 20.0), poisson=(0.05, 2.0)),
            _stage("webp", p=0.15, quality=(20.0, 90.0)),
            _stage("jpeg", p=0.7, quality=(20.0, 95.0), subsample=0.9, shift=True),
        )
    )

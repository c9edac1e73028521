"""The built-in augmentations, resizers, degradations and degradation stages by name."""

from __future__ import annotations

from kornia_srgan.contracts import Augmentation, Degradation, DegradationStage, Resizer
from kornia_srgan.registry.registry import Registry

_CUTBLUR = "Yoo et al. 2020, arXiv 2004.00448"
_AUGMENT = "kornia_srgan.components.transforms.augment"
_RESIZE = "kornia_srgan.components.transforms.resize"
_REAL_ESRGAN = "Wang et al. 2021, arXiv 2107.10833"
_DEGRADE = "kornia_srgan.components.transforms.degrade"
_STAGES = "kornia_srgan.components.transforms"


def declare_transforms(
    augmentations: Registry[Augmentation],
    resizers: Registry[Resizer],
    degradations: Registry[Degradation],
    stages: Registry[DegradationStage],
) -> None:
    """Declare them in their registries, by import path."""
    augmentations.declare(
        "dihedral", f"{_AUGMENT}:Dihedral", summary="One of the eight flips and quarter turns, exactly"
    )
    augmentations.declare(
        "color_jiggle", f"{_AUGMENT}:ColorJiggle", summary="Kornia's brightness, contrast, saturation and hue"
    )
    augmentations.declare(
        "kornia",
        f"{_AUGMENT}:KorniaAugmentation",
        summary="Any augmentation of kornia.augmentation by its name",
    )
    augmentations.declare(
        "flat_patches",
        "kornia_srgan.components.transforms.patches:FlatPatches",
        summary="Lays a rectangle of white, black or a strong colour over some images",
    )
    augmentations.declare(
        "mixup",
        "kornia_srgan.components.transforms.mix:MixUp",
        summary="Blends an image with itself turned by half a turn",
        paper=_CUTBLUR,
    )
    resizers.declare(
        "matlab_bicubic",
        f"{_RESIZE}:MatlabBicubic",
        aliases=("imresize",),
        summary="MATLAB's imresize bicubic, bit for bit: how the literature's LR images are made",
    )
    resizers.declare(
        "torch_bicubic",
        f"{_RESIZE}:TorchBicubic",
        summary="torch's antialiased interpolate (bicubic, bilinear)",
    )
    resizers.declare("kornia", f"{_RESIZE}:KorniaResize", summary="kornia.geometry.resize, with antialiasing")
    degradations.declare(
        "real_esrgan",
        f"{_DEGRADE}:real_esrgan",
        summary="Second-order blur, resize, noise and JPEG, then sinc ringing: LR as it comes from the wild",
        paper=_REAL_ESRGAN,
    )
    for name, summary in (
        ("mild", "Preset: well-kept photographs; little blur and noise, JPEG and WebP from 75 up"),
        ("photo", "Preset: photographs as people have them; phone noise, sharpening, JPEG from 30 up"),
        ("heavy", "Preset: pictures that went through many hands; everything, twice"),
    ):
        degradations.declare(name, f"kornia_srgan.components.transforms.presets:{name}", summary=summary)
    degradations.declare(
        "pipeline", f"{_DEGRADE}:DegradationPipeline", summary="Degradation stages of your choice, in order"
    )
    degradations.declare(
        "cutblur",
        "kornia_srgan.components.transforms.mix:CutBlur",
        summary="Real-ESRGAN's degradation with a rectangle of clean LR, or the other way round",
        paper=_CUTBLUR,
    )
    for name, target, summary in (
        (
            "blur",
            "stage_blur:Blur",
            "Gaussian, generalised Gaussian, plateau or sinc kernel, drawn for each image",
        ),
        ("sinc", "stage_blur:Sinc", "Low-pass filter with ringing and overshoot"),
        (
            "random_resize",
            "stage_resize:RandomResize",
            "Up or down by a factor and a kernel drawn for each image",
        ),
        ("resize", "stage_resize:Resize", "To the final size, by a kernel drawn for each image"),
        ("noise", "stage_noise:Noise", "Gaussian or Poisson noise, grey or coloured"),
        ("jpeg", "stage_noise:Jpeg", "JPEG as libjpeg makes it, at a quality drawn for each image"),
        (
            "either_order",
            "stages:EitherOrder",
            "Two groups of stages, in one order or the other for each image",
        ),
    ):
        stages.declare(name, f"{_STAGES}.{target}", summary=summary, paper=_REAL_ESRGAN)
    stages.declare(
        "webp", f"{_STAGES}.stage_webp:WebP", summary="WebP by Pillow, at a quality drawn for each image"
    )
    stages.declare(
        "sharpen", f"{_STAGES}.stage_blur:Sharpen", summary="Unsharp mask: bright and dark halos along edges"
    )
    stages.declare(
        "camera_noise",
        f"{_STAGES}.stage_camera:CameraNoise",
        summary="Poisson-Gaussian noise in grains, with blotches of colour",
        paper="Foi et al. 2008, doi 10.1109/TIP.2008.2001399",
    )

"""The registries, and every built-in component by name.

Built-in components are declared here by import path and imported on first use.
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
from kornia_srgan.registry.entry import normalise_name
from kornia_srgan.registry.networks import SRGAN, declare_networks
from kornia_srgan.registry.plugins import load_entry_points
from kornia_srgan.registry.registry import Registry
from kornia_srgan.registry.transforms import declare_transforms

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

declare_networks(GENERATORS, DISCRIMINATORS, FEATURE_EXTRACTORS)

_PIXEL = "kornia_srgan.components.losses.pixel"
IMAGE_LOSSES.declare("mse", f"{_PIXEL}:MSELoss", aliases=("l2",), summary="Mean squared error", paper=SRGAN)
IMAGE_LOSSES.declare("l1", f"{_PIXEL}:L1Loss", aliases=("mae",), summary="Mean absolute error")
IMAGE_LOSSES.declare(
    "sam",
    f"{_PIXEL}:SpectralAngleLoss",
    summary="Angle between the spectra of pixels, for images of several bands",
    paper="Yuhas, Goetz & Boardman 1992",
)
IMAGE_LOSSES.declare(
    "charbonnier",
    f"{_PIXEL}:CharbonnierLoss",
    summary="A smooth L1: sqrt(d^2 + eps^2)",
    paper="Lai et al. 2017, arXiv 1704.03915",
)
IMAGE_LOSSES.declare(
    "perceptual",
    "kornia_srgan.components.losses.perceptual:PerceptualLoss",
    aliases=("content", "vgg"),
    summary="Distance between the features of SR and HR (the paper's content loss)",
    paper=SRGAN,
)
_STRUCTURE = "kornia_srgan.components.losses.structure"
IMAGE_LOSSES.declare(
    "ssim",
    f"{_STRUCTURE}:SSIMLoss",
    summary="1 - SSIM (Kornia's)",
    paper="Wang et al. 2004, doi 10.1109/TIP.2003.819861",
)
IMAGE_LOSSES.declare(
    "ms_ssim",
    f"{_STRUCTURE}:MSSSIMLoss",
    summary="MS-SSIM mixed with L1 (Kornia's)",
    paper="Zhao et al. 2017, arXiv 1511.08861",
)
IMAGE_LOSSES.declare(
    "tv",
    f"{_STRUCTURE}:TotalVariationLoss",
    aliases=("total_variation",),
    summary="Total variation of SR alone: smooths (Kornia's)",
    paper="Rudin et al. 1992, doi 10.1016/0167-2789(92)90242-F",
)
IMAGE_LOSSES.declare(
    "fft",
    f"{_STRUCTURE}:FrequencyLoss",
    aliases=("frequency",),
    summary="Mean distance between Fourier coefficients",
    paper="cf. Fuoli et al. 2021, arXiv 2106.00783",
)

_ARTIFACTS = "kornia_srgan.components.losses.artifacts"
IMAGE_LOSSES.declare(
    "ldl",
    f"{_ARTIFACTS}:LDLLoss",
    summary="L1 where the residual varies: against a GAN's artefacts",
    paper="Liang et al. 2022, arXiv 2203.09195",
)
IMAGE_LOSSES.declare(
    "color",
    f"{_ARTIFACTS}:ColorLoss",
    aliases=("colour",),
    summary="Distance of mean colours in Oklab: against colours that drift",
    paper="Ottosson 2020, https://bottosson.github.io/posts/oklab/",
)
IMAGE_LOSSES.declare(
    "wavelet",
    f"{_ARTIFACTS}:WaveletLoss",
    summary="L1 between wavelet bands: fidelity of the low one, freedom for details",
    paper="Korkmaz et al. 2024, arXiv 2402.19215",
)

_ADVERSARIAL = "kornia_srgan.components.losses.adversarial"
ADVERSARIAL_LOSSES.declare(
    "vanilla",
    f"{_ADVERSARIAL}:VanillaLoss",
    aliases=("bce",),
    summary="Binary cross-entropy on logits, non-saturating generator",
    paper="Goodfellow et al. 2014, arXiv 1406.2661",
)
ADVERSARIAL_LOSSES.declare(
    "lsgan",
    f"{_ADVERSARIAL}:LSGANLoss",
    summary="Least squares to the labels 1 and 0",
    paper="Mao et al. 2017, arXiv 1611.04076",
)
ADVERSARIAL_LOSSES.declare(
    "hinge",
    f"{_ADVERSARIAL}:HingeLoss",
    summary="Hinge with a margin of 1",
    paper="Lim & Ye 2017, arXiv 1705.02894",
)
ADVERSARIAL_LOSSES.declare(
    "wgan",
    f"{_ADVERSARIAL}:WGANLoss",
    aliases=("wgan_gp",),
    summary="Wasserstein distance with gradient penalty",
    paper="Gulrajani et al. 2017, arXiv 1704.00028",
)
ADVERSARIAL_LOSSES.declare(
    "ragan",
    f"{_ADVERSARIAL}:RelativisticAverageLoss",
    aliases=("relativistic_average",),
    summary="Relativistic average cross-entropy (ESRGAN)",
    paper="Jolicoeur-Martineau 2018, arXiv 1807.00734",
)

declare_transforms(AUGMENTATIONS, RESIZERS, DEGRADATIONS, DEGRADATION_STAGES)

_METRICS = "kornia_srgan.evaluation"
METRICS.declare("psnr", f"{_METRICS}.metrics:PSNR", summary="Peak signal-to-noise ratio in dB")
METRICS.declare(
    "ssim",
    f"{_METRICS}.metrics:SSIM",
    summary="Structural similarity, 11x11 Gaussian, valid region",
    paper="Wang et al. 2004, IEEE TIP 13(4)",
)
METRICS.declare(
    "niqe",
    f"{_METRICS}.niqe:NIQE",
    summary="Distance from natural statistics, without a reference; lower is better",
    paper="Mittal et al. 2013, IEEE SPL 20(3)",
)
METRICS.declare(
    "lpips",
    f"{_METRICS}.perceptual:LPIPS",
    summary="Distance of deep features; lower is better (extra: perceptual)",
    paper="Zhang et al. 2018, arXiv 1801.03924",
)
METRICS.declare(
    "dists",
    f"{_METRICS}.perceptual:DISTS",
    summary="Structure and texture of deep features; lower is better (extra: perceptual)",
    paper="Ding et al. 2020, arXiv 2004.07728",
)
METRICS.declare(
    "sam",
    f"{_METRICS}.spectral:SAM",
    summary="Mean angle between the spectra of pixels, in degrees; lower is better",
    paper="Yuhas et al. 1992, JPL Airborne Geoscience Workshop",
)
METRICS.declare(
    "ergas",
    f"{_METRICS}.spectral:ERGAS",
    summary="Relative error of all bands together; lower is better",
    paper="Wald 2000, hal-00395027",
)
METRICS.declare(
    "ntire",
    f"{_METRICS}.pyiqa_metrics:NTIREPerceptual",
    aliases=("ntire_perceptual",),
    summary="NTIRE's perceptual score out of LPIPS, DISTS, CLIPIQA, MANIQA, MUSIQ and NIQE (extra: iqa)",
    paper="Chen et al. 2025, arXiv 2504.14582",
)


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
    raise UnknownComponentError(f"unknown kind '{kind}'{hint or ';'} known: {', '.join(REGISTRIES)}")

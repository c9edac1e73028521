"""The built-in losses and metrics.

Each line: name, where it is in its room, aliases, summary, paper. Nothing is imported.
"""

from __future__ import annotations

from kornia_srgan.registry.registry import Table

_SRGAN = "Ledig et al. 2017, arXiv 1609.04802"

IMAGE_LOSSES: Table = (
    ("mse", "pixel:MSELoss", ("l2",), "Mean squared error", _SRGAN),
    ("l1", "pixel:L1Loss", ("mae",), "Mean absolute error", ""),
    (
        "sam",
        "pixel:SpectralAngleLoss",
        (),
        "Angle between the spectra of pixels, for images of several bands",
        "Yuhas, Goetz & Boardman 1992",
    ),
    (
        "charbonnier",
        "pixel:CharbonnierLoss",
        (),
        "A smooth L1: sqrt(d^2 + eps^2)",
        "Lai et al. 2017, arXiv 1704.03915",
    ),
    (
        "perceptual",
        "perceptual:PerceptualLoss",
        ("content", "vgg"),
        "Distance between the features of SR and HR (the paper's content loss)",
        _SRGAN,
    ),
    (
        "ssim",
        "structure:SSIMLoss",
        (),
        "1 - SSIM (Kornia's)",
        "Wang et al. 2004, doi 10.1109/TIP.2003.819861",
    ),
    (
        "ms_ssim",
        "structure:MSSSIMLoss",
        (),
        "MS-SSIM mixed with L1 (Kornia's)",
        "Zhao et al. 2017, arXiv 1511.08861",
    ),
    (
        "tv",
        "structure:TotalVariationLoss",
        ("total_variation",),
        "Total variation of SR alone: smooths (Kornia's)",
        "Rudin et al. 1992, doi 10.1016/0167-2789(92)90242-F",
    ),
    (
        "fft",
        "structure:FrequencyLoss",
        ("frequency",),
        "Mean distance between Fourier coefficients",
        "cf. Fuoli et al. 2021, arXiv 2106.00783",
    ),
    (
        "ldl",
        "artifacts:LDLLoss",
        (),
        "L1 where the residual varies: against a GAN's artefacts",
        "Liang et al. 2022, arXiv 2203.09195",
    ),
    (
        "color",
        "artifacts:ColorLoss",
        ("colour",),
        "Distance of mean colours in Oklab: against colours that drift",
        "Ottosson 2020, https://bottosson.github.io/posts/oklab/",
    ),
    (
        "wavelet",
        "artifacts:WaveletLoss",
        (),
        "L1 between wavelet bands: fidelity of the low one, freedom for details",
        "Korkmaz et al. 2024, arXiv 2402.19215",
    ),
)

ADVERSARIAL_LOSSES: Table = (
    (
        "vanilla",
        "adversarial:VanillaLoss",
        ("bce",),
        "Binary cross-entropy on logits, non-saturating generator",
        "Goodfellow et al. 2014, arXiv 1406.2661",
    ),
    (
        "lsgan",
        "adversarial:LSGANLoss",
        (),
        "Least squares to the labels 1 and 0",
        "Mao et al. 2017, arXiv 1611.04076",
    ),
    ("hinge", "adversarial:HingeLoss", (), "Hinge with a margin of 1", "Lim & Ye 2017, arXiv 1705.02894"),
    (
        "wgan",
        "adversarial:WGANLoss",
        ("wgan_gp",),
        "Wasserstein distance with gradient penalty",
        "Gulrajani et al. 2017, arXiv 1704.00028",
    ),
    (
        "ragan",
        "adversarial:RelativisticAverageLoss",
        ("relativistic_average",),
        "Relativistic average cross-entropy (ESRGAN)",
        "Jolicoeur-Martineau 2018, arXiv 1807.00734",
    ),
)

METRICS: Table = (
    (
        "sam",
        "spectral:SAM",
        (),
        "Mean angle between the spectra of pixels, in degrees; lower is better",
        "Yuhas et al. 1992, JPL Airborne Geoscience Workshop",
    ),
    (
        "ssim",
        "metrics:SSIM",
        (),
        "Structural similarity, 11x11 Gaussian, valid region",
        "Wang et al. 2004, IEEE TIP 13(4)",
    ),
    ("psnr", "metrics:PSNR", (), "Peak signal-to-noise ratio in dB", ""),
    (
        "niqe",
        "niqe:NIQE",
        (),
        "Distance from natural statistics, without a reference; lower is better",
        "Mittal et al. 2013, IEEE SPL 20(3)",
    ),
    (
        "lpips",
        "perceptual:LPIPS",
        (),
        "Distance of deep features; lower is better (extra: perceptual)",
        "Zhang et al. 2018, arXiv 1801.03924",
    ),
    (
        "dists",
        "perceptual:DISTS",
        (),
        "Structure and texture of deep features; lower is better (extra: perceptual)",
        "Ding et al. 2020, arXiv 2004.07728",
    ),
    (
        "ergas",
        "spectral:ERGAS",
        (),
        "Relative error of all bands together; lower is better",
        "Wald 2000, hal-00395027",
    ),
    (
        "ntire",
        "pyiqa_metrics:NTIREPerceptual",
        ("ntire_perceptual",),
        "NTIRE's perceptual score out of LPIPS, DISTS, CLIPIQA, MANIQA, MUSIQ and NIQE (extra: iqa)",
        "Chen et al. 2025, arXiv 2504.14582",
    ),
)

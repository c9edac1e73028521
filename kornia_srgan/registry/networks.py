"""The built-in networks by name: generators, discriminators, feature extractors."""

from __future__ import annotations

from typing import Any

from kornia_srgan.registry.registry import Registry

SRGAN = "Ledig et al. 2017, arXiv 1609.04802"
_GENERATORS = "kornia_srgan.components.generators"
_DISCRIMINATORS = "kornia_srgan.components.discriminators"


def declare_networks(
    generators: Registry[Any], discriminators: Registry[Any], extractors: Registry[Any]
) -> None:
    """Declare them by import path; nothing is imported."""
    generators.declare(
        "srresnet",
        f"{_GENERATORS}.srresnet:SRResNet",
        aliases=("sr_resnet",),
        summary="The SRGAN paper's generator: residual blocks with BatchNorm and PReLU, pixel shuffle",
        paper=SRGAN,
    )
    generators.declare(
        "edsr",
        f"{_GENERATORS}.edsr:EDSR",
        summary="Residual blocks without BatchNorm at LR resolution; light and fast on a CPU",
        paper="Lim et al. 2017, arXiv 1707.02921",
    )
    generators.declare(
        "msrresnet",
        f"{_GENERATORS}.msrresnet:MSRResNet",
        summary="SRResNet without BatchNorm on the bilinear image, as BasicSR and mmagic publish it",
        paper="Wang et al. 2018, arXiv 1809.00219",
    )
    generators.declare(
        "rrdb",
        f"{_GENERATORS}.rrdb:RRDB",
        aliases=("rrdbnet", "esrgan"),
        summary="ESRGAN's and Real-ESRGAN's generator: residual-in-residual dense blocks (Kornia's RRDBNet)",
        paper="Wang et al. 2018, arXiv 1809.00219",
    )
    generators.declare(
        "compact",
        f"{_GENERATORS}.compact:Compact",
        aliases=("srvgg", "srvggnetcompact"),
        summary="SRVGGNetCompact of Real-ESRGAN: a plain chain of convolutions, one pixel shuffle",
        paper="Wang et al. 2021, arXiv 2107.10833",
    )
    generators.declare(
        "span",
        f"{_GENERATORS}.span:SPAN",
        summary="Parameter-free attention between re-parameterised convolutions; much for little work",
        paper="Wan et al. 2024, arXiv 2311.12770",
    )
    generators.declare(
        "ecbsr",
        f"{_GENERATORS}.ecbsr:ECBSR",
        summary="A plain chain of convolutions that learn with edge filters beside them; the lightest",
        paper="Zhang et al. 2021, ACM Multimedia, doi 10.1145/3474085.3475291",
    )

    generators.declare(
        "spandrel",
        f"{_GENERATORS}.community:SpandrelGenerator",
        summary="Any architecture of spandrel: HAT, SwinIR, DAT and some forty more (extra: community)",
    )

    generators.declare(
        "timm_backbone",
        f"{_GENERATORS}.timm_backbone:TimmGenerator",
        summary="Any timm backbone with a head that upsamples its features; for research",
    )
    discriminators.declare(
        "vgg",
        f"{_DISCRIMINATORS}.vgg:VGGDiscriminator",
        aliases=("srgan",),
        summary="The SRGAN paper's discriminator: eight 3x3 convolutions with strides, two dense layers",
        paper=SRGAN,
    )
    discriminators.declare(
        "unet",
        f"{_DISCRIMINATORS}.unet:UNetDiscriminator",
        summary="Real-ESRGAN's U-Net with spectral normalisation: a logit for every pixel",
        paper="Wang et al. 2021, arXiv 2107.10833",
    )
    discriminators.declare(
        "patch",
        f"{_DISCRIMINATORS}.patch:PatchDiscriminator",
        aliases=("patchgan",),
        summary="PatchGAN: a logit for each overlapping patch",
        paper="Isola et al. 2017, arXiv 1611.07004",
    )
    discriminators.declare(
        "timm_backbone",
        f"{_DISCRIMINATORS}.timm_backbone:TimmDiscriminator",
        aliases=("projected",),
        summary="Heads on several layers of any timm backbone, frozen or trained (projected GAN)",
        paper="Sauer et al. 2021, arXiv 2111.01007",
    )

    extractors.declare(
        "timm",
        "kornia_srgan.components.features.timm_features:TimmFeatures",
        summary="Features of any timm backbone by layer name (VGG19 relu5_4 by default)",
        paper=SRGAN,
    )

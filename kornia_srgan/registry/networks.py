"""The built-in networks: generators, discriminators, feature extractors.

Each line: name, where it is in its room, aliases, summary, paper. Nothing is imported.
"""

from __future__ import annotations

from kornia_srgan.registry.registry import Table

_SRGAN = "Ledig et al. 2017, arXiv 1609.04802"
_REAL_ESRGAN = "Wang et al. 2021, arXiv 2107.10833"

GENERATORS: Table = (
    (
        "srresnet",
        "srresnet:SRResNet",
        ("sr_resnet",),
        "The SRGAN paper's generator: residual blocks with BatchNorm and PReLU, pixel shuffle",
        _SRGAN,
    ),
    (
        "edsr",
        "edsr:EDSR",
        (),
        "Residual blocks without BatchNorm at LR resolution; light and fast on a CPU",
        "Lim et al. 2017, arXiv 1707.02921",
    ),
    (
        "msrresnet",
        "msrresnet:MSRResNet",
        (),
        "SRResNet without BatchNorm on the bilinear image, as BasicSR and mmagic publish it",
        "Wang et al. 2018, arXiv 1809.00219",
    ),
    (
        "rrdb",
        "rrdb:RRDB",
        ("rrdbnet", "esrgan"),
        "ESRGAN's and Real-ESRGAN's generator: residual-in-residual dense blocks (Kornia's RRDBNet)",
        "Wang et al. 2018, arXiv 1809.00219",
    ),
    (
        "compact",
        "compact:Compact",
        ("srvgg", "srvggnetcompact"),
        "SRVGGNetCompact of Real-ESRGAN: a plain chain of convolutions, one pixel shuffle",
        _REAL_ESRGAN,
    ),
    (
        "span",
        "span:SPAN",
        (),
        "Parameter-free attention between re-parameterised convolutions; much for little work",
        "Wan et al. 2024, arXiv 2311.12770",
    ),
    (
        "ecbsr",
        "ecbsr:ECBSR",
        (),
        "A plain chain of convolutions that learn with edge filters beside them; the lightest",
        "Zhang et al. 2021, ACM Multimedia, doi 10.1145/3474085.3475291",
    ),
    (
        "edge_resnet",
        "edge_resnet:EdgeResNet",
        (),
        "Few, deep residual blocks of convolutions that learn with edge filters beside them; light",
        "Zhang et al. 2021, ACM Multimedia, doi 10.1145/3474085.3475291",
    ),
    (
        "spandrel",
        "community:SpandrelGenerator",
        (),
        "Any architecture of spandrel: HAT, SwinIR, DAT and some forty more (extra: community)",
        "",
    ),
    (
        "timm_backbone",
        "timm_backbone:TimmGenerator",
        (),
        "Any timm backbone with a head that upsamples its features; for research",
        "",
    ),
)

DISCRIMINATORS: Table = (
    (
        "timm_backbone",
        "timm_backbone:TimmDiscriminator",
        ("projected",),
        "Heads on several layers of any timm backbone, frozen or trained (projected GAN)",
        "Sauer et al. 2021, arXiv 2111.01007",
    ),
    (
        "vgg",
        "vgg:VGGDiscriminator",
        ("srgan",),
        "The SRGAN paper's discriminator: eight 3x3 convolutions with strides, two dense layers",
        _SRGAN,
    ),
    (
        "unet",
        "unet:UNetDiscriminator",
        (),
        "Real-ESRGAN's U-Net with spectral normalisation: a logit for every pixel",
        _REAL_ESRGAN,
    ),
    (
        "patch",
        "patch:PatchDiscriminator",
        ("patchgan",),
        "PatchGAN: a logit for each overlapping patch",
        "Isola et al. 2017, arXiv 1611.07004",
    ),
)

FEATURE_EXTRACTORS: Table = (
    (
        "timm",
        "timm_features:TimmFeatures",
        (),
        "Features of any timm backbone by layer name (VGG19 relu5_4 by default)",
        _SRGAN,
    ),
)

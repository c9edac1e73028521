"""Every architecture that spandrel can build, as small as its arguments allow."""

import importlib
from typing import Any

import torch

# Architecture and class, in spandrel's names. None: it fills in masked parts and is refused.
SMALL: dict[tuple[str, str], dict[str, Any] | None] = {
    ("ATD", "ATD"): {
        "embed_dim": 12,
        "depths": (2,),
        "num_heads": (2,),
        "category_size": 16,
        "num_tokens": 8,
        "reducted_dim": 4,
        "upscale": 2,
        "upsampler": "pixelshuffledirect",
    },
    ("AuraSR", "AuraSR"): {
        "dim": 8,
        "image_size": None,
        "input_image_size": None,
        "style_network": {"dim_in": 4, "dim_out": 16, "depth": 2},
        "up_dim_mults": (1, 1, 1, 1, 1),
        "down_dim_mults": (1, 1, 1),
        "full_attn": (False, False, False, True, True),
        "attn_depths": (2, 2, 2, 2, 2),
        "mid_attn_depth": 1,
        "num_conv_kernels": 2,
        "unconditional": True,
    },
    ("CRAFT", "CRAFT"): {"embed_dim": 12, "depths": [1], "num_heads": [2], "upscale": 2},
    ("Compact", "Compact"): {"num_feat": 8, "num_conv": 2, "upscale": 2, "num_in_ch": 1, "num_out_ch": 1},
    ("DAT", "DAT"): {
        "embed_dim": 16,
        "depth": [2],
        "num_heads": [2],
        "expansion_factor": 2,
        "upscale": 2,
        "split_size": [4, 8],
    },
    ("DCTLSA", "DCTLSA"): {"nf": 10, "upscale": 2},
    ("DITN", "DITN"): {"dim": 12, "ITL_blocks": 1, "SAL_blocks": 1, "UFONE_blocks": 1, "upscale": 2},
    ("DRCT", "DRCT"): {
        "embed_dim": 16,
        "depths": (6,),
        "num_heads": (2,),
        "window_size": 8,
        "gc": 4,
        "upscale": 2,
        "upsampler": "pixelshuffle",
    },
    ("DRUNet", "DRUNet"): {"in_nc": 4, "out_nc": 3, "nc": [16, 16, 16, 16], "nb": 4},
    ("DnCNN", "DnCNN"): {"in_nc": 1, "out_nc": 1, "nc": 64, "nb": 17, "act_mode": "R"},
    ("ESRGAN", "ESRGAN"): {"in_nc": 1, "out_nc": 1, "num_filters": 8, "num_blocks": 2, "scale": 2},
    ("FBCNN", "FBCNN"): {"nc": [8, 8, 8, 512], "nb": 2},
    ("FDAT", "FDAT"): {
        "scale": 2,
        "embed_dim": 16,
        "num_groups": 1,
        "depth_per_group": 2,
        "num_heads": 2,
        "mid_dim": 16,
    },
    ("FFTformer", "FFTformer"): {"dim": 8, "num_blocks": [1, 1, 1], "num_refinement_blocks": 1},
    ("GFPGAN", "GFPGAN"): {},  # see `thin_gfpgan`
    ("GRL", "GRL"): {  # its windows and stripes are built anew for each size of image: slow at any size
        "img_size": 16,
        "embed_dim": 16,
        "upscale": 2,
        "upsampler": "pixelshuffledirect",
        "depths": [1],
        "num_heads_window": [2],
        "num_heads_stripe": [2],
        "mlp_ratio": 2,
        "window_size": 4,
        "stripe_size": [4, 4],
        "anchor_window_down_factor": 1,
    },
    ("HAT", "HAT"): {
        "embed_dim": 12,
        "depths": (2,),
        "num_heads": (2,),
        "window_size": 8,
        "upscale": 2,
        "squeeze_factor": 4,
        "mlp_ratio": 2,
    },
    ("HVICIDNet", "HVICIDNet"): {"channels": [8, 8, 8, 8], "heads": [1, 1, 1, 1]},
    ("IPT", "IPT"): {
        "patch_size": 12,
        "n_feats": 4,
        "scale": [2],
        "num_heads": 3,
        "num_layers": 1,
    },
    ("KBNet", "KBNet_l"): {
        "dim": 24,
        "num_blocks": [1, 1, 1, 1],
        "num_refinement_blocks": 1,
        "heads": [1, 1, 1, 1],
    },
    ("KBNet", "KBNet_s"): {"width": 8, "middle_blk_num": 1, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]},
    ("LaMa", "LaMa"): None,
    ("MMRealSR", "MMRealSR"): {
        "num_in_ch": 3,
        "num_out_ch": 3,
        "num_feat": 8,
        "num_block": 1,
        "num_grow_ch": 4,
        "num_feats": [8, 8, 8, 8],
        "num_blocks": [1, 1, 1, 1],
    },
    ("MixDehazeNet", "MixDehazeNet"): {"embed_dims": [8, 8, 8, 8, 8], "depths": [1, 1, 1, 1, 1]},
    ("MoESR", "MoESR"): {"scale": 2, "dim": 16, "n_blocks": 1, "n_block": 1, "upsample_dim": 16},
    ("MoSR", "MoSR"): {"upscale": 2, "n_block": 2, "dim": 16},
    ("NAFNet", "NAFNet"): {"width": 8, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]},
    ("OmniSR", "OmniSR"): {"num_feat": 16, "up_scale": 2},
    ("PLKSR", "PLKSR"): {"dim": 16, "n_blocks": 2, "upscaling_factor": 2},
    ("PLKSR", "RealPLKSR"): {"dim": 16, "n_blocks": 2, "upscaling_factor": 2},
    ("RCAN", "RCAN"): {"scale": 2, "n_resgroups": 2, "n_resblocks": 2, "n_feats": 16, "reduction": 4},
    ("RGT", "RGT"): {"embed_dim": 12, "depth": [2], "num_heads": [2], "mlp_ratio": 2, "upscale": 2},
    ("RealCUGAN", "UpCunet2x"): {},
    ("RealCUGAN", "UpCunet2x_fast"): {},
    ("RealCUGAN", "UpCunet3x"): {},
    ("RealCUGAN", "UpCunet4x"): {"pro": True},
    ("RestoreFormer", "RestoreFormer"): {
        "n_embed": 16,
        "embed_dim": 32,
        "ch": 32,
        "ch_mult": (1, 1),
        "num_res_blocks": 1,
        "z_channels": 32,
    },
    ("RetinexFormer", "RetinexFormer"): {"n_feat": 8, "stage": 1},
    ("SAFMN", "SAFMN"): {"dim": 8, "n_blocks": 2, "upscaling_factor": 2},
    ("SAFMNBCIE", "SAFMNBCIE"): {"dim": 8, "n_blocks": 1, "num_layers": 1, "upscaling_factor": 1},
    ("SCUNet", "SCUNet"): {"config": [1, 1, 1, 1, 1, 1, 1], "dim": 64},
    ("SPAN", "SPAN"): {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8, "upscale": 2},
    ("SeemoRe", "SeemoRe"): {"scale": 2, "num_experts": 2, "num_layers": 1, "embedding_dim": 16},
    ("SwiftSRGAN", "SwiftSRGAN"): {"num_channels": 8, "num_blocks": 2, "upscale_factor": 2},
    ("Swin2SR", "Swin2SR"): {
        "embed_dim": 12,
        "depths": [2],
        "num_heads": [2],
        "window_size": 8,
        "mlp_ratio": 2,
        "upsampler": "pixelshuffledirect",
    },
    ("SwinIR", "SwinIR"): {
        "embed_dim": 12,
        "depths": [2],
        "num_heads": [2],
        "window_size": 8,
        "mlp_ratio": 2,
        "upscale": 2,
        "upsampler": "pixelshuffledirect",
    },
    ("Uformer", "Uformer"): {"embed_dim": 4, "depths": [1] * 9, "num_heads": [1] * 9},
}


def thin_gfpgan(monkeypatch):
    """GFPGAN comes in one size only, of 86 million parameters; here with a thirty-second of its channels."""
    module = importlib.import_module("spandrel.architectures.GFPGAN")

    class Thin(module.GFPGAN):
        def __init__(self, **arguments):
            super().__init__(**{**arguments, "narrow": 1 / 32})

    monkeypatch.setattr(module, "GFPGAN", Thin)


def spandrels_own(own, image):
    """The output of spandrel itself, with the random numbers that its network draws held fast."""
    torch.manual_seed(0)
    if own.architecture.id == "AuraSR":  # a style, before the noise
        style = torch.randn(1, own.model.style_network.dim_in)
        own._call_fn = lambda network, pixels: network(pixels, noise=style)
    return own(image.clone())  # some networks change their input

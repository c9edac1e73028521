"""The built-in augmentations, resizers, degradations and degradation stages.

Each line: name, where it is in its room, aliases, summary, paper. Nothing is imported.
"""

from __future__ import annotations

from kornia_srgan.registry.registry import Table

_CUTBLUR = "Yoo et al. 2020, arXiv 2004.00448"
_REAL_ESRGAN = "Wang et al. 2021, arXiv 2107.10833"

AUGMENTATIONS: Table = (
    ("dihedral", "augment:Dihedral", (), "One of the eight flips and quarter turns, exactly", ""),
    ("color_jiggle", "augment:ColorJiggle", (), "Kornia's brightness, contrast, saturation and hue", ""),
    ("kornia", "augment:KorniaAugmentation", (), "Any augmentation of kornia.augmentation by its name", ""),
    (
        "flat_patches",
        "patches:FlatPatches",
        (),
        "Lays a rectangle of white, black or a strong colour over some images",
        "",
    ),
    ("mixup", "mix:MixUp", (), "Blends an image with itself turned by half a turn", _CUTBLUR),
)

RESIZERS: Table = (
    ("kornia", "resize:KorniaResize", (), "kornia.geometry.resize, with antialiasing", ""),
    (
        "matlab_bicubic",
        "resize:MatlabBicubic",
        ("imresize",),
        "MATLAB's imresize bicubic, bit for bit: how the literature's LR images are made",
        "",
    ),
    ("torch_bicubic", "resize:TorchBicubic", (), "torch's antialiased interpolate (bicubic, bilinear)", ""),
)

DEGRADATIONS: Table = (
    (
        "real_esrgan",
        "degrade:real_esrgan",
        (),
        "Second-order blur, resize, noise and JPEG, then sinc ringing: LR as it comes from the wild",
        _REAL_ESRGAN,
    ),
    (
        "mild",
        "presets:mild",
        (),
        "Preset: well-kept photographs; little blur and noise, JPEG and WebP from 75 up",
        "",
    ),
    (
        "photo",
        "presets:photo",
        (),
        "Preset: photographs as people have them; phone noise, sharpening, JPEG from 30 up",
        "",
    ),
    ("heavy", "presets:heavy", (), "Preset: pictures that went through many hands; everything, twice", ""),
    ("pipeline", "degrade:DegradationPipeline", (), "Degradation stages of your choice, in order", ""),
    (
        "cutblur",
        "mix:CutBlur",
        (),
        "Real-ESRGAN's degradation with a rectangle of clean LR, or the other way round",
        _CUTBLUR,
    ),
)

DEGRADATION_STAGES: Table = (
    (
        "blur",
        "stage_blur:Blur",
        (),
        "Gaussian, generalised Gaussian, plateau or sinc kernel, drawn for each image",
        _REAL_ESRGAN,
    ),
    ("sinc", "stage_blur:Sinc", (), "Low-pass filter with ringing and overshoot", _REAL_ESRGAN),
    (
        "random_resize",
        "stage_resize:RandomResize",
        (),
        "Up or down by a factor and a kernel drawn for each image",
        _REAL_ESRGAN,
    ),
    (
        "resize",
        "stage_resize:Resize",
        (),
        "To the final size, by a kernel drawn for each image",
        _REAL_ESRGAN,
    ),
    ("noise", "stage_noise:Noise", (), "Gaussian or Poisson noise, grey or coloured", _REAL_ESRGAN),
    (
        "jpeg",
        "stage_noise:Jpeg",
        (),
        "JPEG as libjpeg makes it, at a quality drawn for each image",
        _REAL_ESRGAN,
    ),
    (
        "either_order",
        "stages:EitherOrder",
        (),
        "Two groups of stages, in one order or the other for each image",
        _REAL_ESRGAN,
    ),
    ("webp", "stage_webp:WebP", (), "WebP by Pillow, at a quality drawn for each image", ""),
    ("sharpen", "stage_blur:Sharpen", (), "Unsharp mask: bright and dark halos along edges", ""),
    (
        "camera_noise",
        "stage_camera:CameraNoise",
        (),
        "Poisson-Gaussian noise in grains, with blotches of colour",
        "Foi et al. 2008, doi 10.1109/TIP.2008.2001399",
    ),
)

"""Arguments that make every registered augmentation change something."""

ARGS = {
    "color_jiggle": {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.2, "p": 1.0},
    "kornia": {"augmentation": "RandomGaussianNoise", "args": {"std": 0.1, "p": 1.0}},
}

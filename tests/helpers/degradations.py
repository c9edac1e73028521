"""Arguments and inputs for every registered degradation and stage."""

from kornia_srgan.contracts import Canvas

SEEDS = (11, 12, 13, 14)


ARGS = {"pipeline": {"stages": ("blur", "noise", "resize", "jpeg")}}


STAGE_ARGS = {"either_order": {"first": ("resize",), "second": ("jpeg",)}, "sinc": {"p": 1.0}}


def canvas_of(images):
    count, _, height, width = images.shape
    return Canvas(images, (height,) * count, (width,) * count)

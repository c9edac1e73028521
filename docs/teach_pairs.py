"""Make pairs for training: LR images, and what a trained network makes of them.

    python docs/teach_pairs.py edsr-large-x4 OUTPUT FOLDER [FOLDER...]
    python docs/teach_pairs.py TEACHER.safetensors OUTPUT FOLDER --recipe photo --copies 4 --once
    kornia-srgan train edsr --lr OUTPUT/lr --hr OUTPUT/hr ...

The mean of a network's eight answers, for flips and rotations, is better than each of them. A network that is
trained on to give that mean at once keeps a part of the gain (Radosavovic et al. 2018, Data Distillation,
arXiv 1712.04440). In the same way a small network learns from a large one. `--recipe` damages the LR images
as a recipe (or the config.yaml of a run) says, several times each; `--once` takes the first answer alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kornia_srgan import DEGRADATIONS, RESIZERS, Upscaler
from kornia_srgan.assembly import build_configured
from kornia_srgan.config.io import load_config
from kornia_srgan.contracts import Degradation
from kornia_srgan.data.images import find_images, read_rgb

LEAST = 48  # of an LR image's sides: what training on crops of 192 HR pixels needs


def small(
    pixels: np.ndarray, scale: int, degradation: Degradation | None = None, seed: int = 0
) -> Image.Image:
    """`(H, W, 3)` made smaller by MATLAB's bicubic, or as a degradation makes it."""
    height, width = (side // scale for side in pixels.shape[:2])
    hr = torch.from_numpy(pixels[: height * scale, : width * scale]).movedim(-1, 0)[None] / 255
    if degradation is None:
        lr = RESIZERS.create("matlab_bicubic")(hr, (height, width))
    else:
        lr = degradation(hr, [seed], (height, width)).clamp(0, 1)
    return Image.fromarray((lr[0] * 255).round().byte().movedim(0, -1).contiguous().numpy())


def degradation_of(recipe: str | None) -> Degradation | None:
    """The degradation of a recipe or config."""
    if recipe is None:
        return None
    found = load_config(recipe).data.degradation
    if found is None:
        sys.exit(f"{recipe} has no degradation")
    return build_configured(DEGRADATIONS, found, path="data.degradation")


def main() -> None:
    """Read the arguments and write the pairs."""
    parser = argparse.ArgumentParser(description="Make pairs for training with a trained network.")
    parser.add_argument("weights", help="the teacher, by name or file")
    parser.add_argument("output", type=Path, help="a folder that is made, with lr/ and hr/ inside")
    parser.add_argument("folders", nargs="+", help="folders of photographs")
    parser.add_argument("--recipe", help="a recipe or config whose degradation damages the LR images")
    parser.add_argument("--copies", type=int, default=1, help="LR images of each photograph")
    parser.add_argument("--once", action="store_true", help="one answer instead of the mean of eight")
    args = parser.parse_args()
    if args.copies < 1:
        parser.error(f"--copies must be 1 or more; got {args.copies}")
    if args.copies > 1 and args.recipe is None:
        parser.error("--copies is for --recipe: without damage all copies of a photograph are the same")
    degradation = degradation_of(args.recipe)
    teacher = Upscaler.from_pretrained(args.weights, ensemble=not args.once, dtype="auto")
    for part in ("lr", "hr"):
        (args.output / part).mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(find_images(args.folders)):
        pixels = read_rgb(path)
        for copy in range(args.copies):
            lr = small(pixels, teacher.scale, degradation, seed=args.copies * number + copy)
            if min(lr.size) < LEAST:
                print(f"left out: {path} (LR would be {lr.width} x {lr.height})", file=sys.stderr)
                break
            name = f"{number:05}-{path.stem}" + (f"-{copy}.png" if args.copies > 1 else ".png")
            lr.save(args.output / "lr" / name, compress_level=1)
            teacher(lr).save(args.output / "hr" / name, compress_level=1)


if __name__ == "__main__":
    main()

"""Make pairs for training: LR images, and what the ensemble of a trained network makes of them.

    python docs/teach_pairs.py edsr-large-x4 OUTPUT FOLDER [FOLDER...]
    kornia-srgan train edsr --lr OUTPUT/lr --hr OUTPUT/hr ...

The mean of a network's eight answers, for flips and rotations, is better than each of them. A network that is
trained on to give that mean at once keeps a part of the gain (Radosavovic et al. 2018, Data Distillation,
arXiv 1712.04440).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kornia_srgan import RESIZERS, Upscaler
from kornia_srgan.data.images import find_images, read_rgb

LEAST = 48  # of an LR image's sides: what training on crops of 192 HR pixels needs


def small(pixels: np.ndarray, scale: int) -> Image.Image:
    """`(H, W, 3)` made smaller by MATLAB's bicubic."""
    height, width = (side // scale for side in pixels.shape[:2])
    hr = torch.from_numpy(pixels[: height * scale, : width * scale]).movedim(-1, 0)[None] / 255
    lr = RESIZERS.create("matlab_bicubic")(hr, (height, width))
    return Image.fromarray((lr[0] * 255).round().byte().movedim(0, -1).contiguous().numpy())


def main() -> None:
    """Read the arguments and write the pairs."""
    parser = argparse.ArgumentParser(description="Make pairs for training with a trained network.")
    parser.add_argument("weights", help="the teacher, by name or file")
    parser.add_argument("output", type=Path, help="a folder that is made, with lr/ and hr/ inside")
    parser.add_argument("folders", nargs="+", help="folders of photographs")
    args = parser.parse_args()
    teacher = Upscaler.from_pretrained(args.weights, ensemble=True, dtype="auto")
    for part in ("lr", "hr"):
        (args.output / part).mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(find_images(args.folders)):
        lr = small(read_rgb(path), teacher.scale)
        if min(lr.size) < LEAST:
            print(f"left out: {path} (LR would be {lr.width} x {lr.height})", file=sys.stderr)
            continue
        name = f"{number:05}-{path.stem}.png"
        lr.save(args.output / "lr" / name, compress_level=1)
        teacher(lr).save(args.output / "hr" / name, compress_level=1)


if __name__ == "__main__":
    main()

"""Teach weights to keep white and strong colours, and change nothing else.

    python docs/keep_colours.py WEIGHTS OUTPUT.safetensors FOLDER... [--degradation photo] [--steps 500]

The weights are their own teacher: on crops of photographs the new weights must give what the old ones gave.
On some crops a rectangle of one colour is drawn into the LR image, and well inside of it the result must be
that colour. BatchNorm uses its stored statistics throughout.
"""

from __future__ import annotations

import argparse
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kornia_srgan import DEGRADATIONS, RESIZERS, load_generator
from kornia_srgan.components.transforms.patches import FlatPatches
from kornia_srgan.data.images import find_images, read_rgb
from kornia_srgan.weights.files import save_weights

LR_SIDE, BATCH, MARGIN = (
    40,
    6,
    5,
)  # a colour must be exact from MARGIN LR pixels inside of its rectangle's edge
LR, DECAY, SHARE = 1e-4, 0.99, 0.5


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights")
    parser.add_argument("output", type=Path)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--degradation", help="of half of the crops; none by default")
    parser.add_argument("--steps", type=int, default=500)
    args = parser.parse_args()

    loaded = load_generator(args.weights)
    teacher = loaded.module.eval().requires_grad_(False)
    averaged = train(teacher, loaded.spec.scale, photographs(args.folders), args.degradation, args.steps)
    training = {**loaded.spec.training, "colours": f"{args.steps} steps of docs/keep_colours.py after it"}
    save_weights(args.output, averaged.state_dict(), replace(loaded.spec, training=training))


def photographs(folders: list[str]) -> list[Tensor]:
    """The images of the folders, `(3, H, W)` in 0 to 255."""
    return [torch.from_numpy(read_rgb(path)).permute(2, 0, 1) for path in find_images(folders)]


def train(
    teacher: nn.Module, scale: int, images: list[Tensor], degradation: str | None, steps: int
) -> nn.Module:
    """A copy of the teacher that keeps colours: the moving average of its weights."""
    student, averaged = deepcopy(teacher).requires_grad_(True), deepcopy(teacher)
    optimizer = torch.optim.Adam(student.parameters(), LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, 1e-7)
    draws = torch.Generator().manual_seed(0)
    images = [image for image in images if min(image.shape[1:]) >= LR_SIDE * scale]
    for step in range(steps):
        lr = crops(images, scale, degradation, draws)
        lr, flat = with_colours(lr, step)
        with torch.no_grad():
            target = torch.where(enlarged(flat, scale), enlarged(lr, scale), teacher(lr))
        loss = F.l1_loss(student(lr), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for mean, new in zip(averaged.parameters(), student.parameters(), strict=True):
                mean.lerp_(new, 1 - min(DECAY, step / (step + 10)))
        if step % 50 == 49:
            print(f"step {step + 1}: L1 {loss.item() * 255:.3f} grey levels", flush=True)
    return averaged


def crops(images: list[Tensor], scale: int, degradation: str | None, draws: torch.Generator) -> Tensor:
    """Random crops made small, `(BATCH, 3, LR_SIDE, LR_SIDE)` in [0, 1]."""
    side, chosen = LR_SIDE * scale, []
    for index in torch.randint(len(images), (BATCH,), generator=draws).tolist():
        image = images[index]
        top, left = (int(torch.randint(n - side + 1, (1,), generator=draws)) for n in image.shape[1:])
        chosen.append(image[:, top : top + side, left : left + side])
    hr = torch.stack(chosen).float() / 255
    lr = RESIZERS.create("matlab_bicubic")(hr, (LR_SIDE, LR_SIDE)).clamp(0, 1)
    if degradation is None:
        return lr
    seeds = torch.randint(2**31, (BATCH // 2,), generator=draws).tolist()
    damaged = DEGRADATIONS.create(degradation)(hr[: BATCH // 2], seeds, (LR_SIDE, LR_SIDE))
    return torch.cat([damaged, lr[BATCH // 2 :]])


def with_colours(lr: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """LR with rectangles of one colour on some, and where they must be exact, `(B, 1, H, W)`."""
    patches, seeds = FlatPatches(p=SHARE, size=(0.4, 1.0)), [step * BATCH + i for i in range(BATCH)]
    outside = (patches(torch.full_like(lr, -1.0), seeds) < 0).any(1, keepdim=True).float()
    near = F.max_pool2d(F.pad(outside, [MARGIN] * 4, value=1.0), 2 * MARGIN + 1, stride=1)
    return patches(lr, seeds), near == 0


def enlarged(x: Tensor, scale: int) -> Tensor:
    """Every pixel repeated."""
    return x.repeat_interleave(scale, 2).repeat_interleave(scale, 3)


if __name__ == "__main__":
    main()

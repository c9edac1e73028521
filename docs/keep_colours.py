"""Teach weights to keep white and strong colours, and change nothing else.

    python docs/keep_colours.py WEIGHTS OUTPUT.safetensors FOLDER... [--degradation photo] [--steps 500]
        [--exact]

The weights are their own teacher: on crops of photographs the new weights must give what the old ones gave.
Beside them are mosaics of flat squares, and well inside of each square the result must be its colour.
BatchNorm uses its stored statistics throughout.
"""

from __future__ import annotations

import argparse
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from kornia_srgan import DEGRADATIONS, RESIZERS, load_generator
from kornia_srgan.data.images import find_images, read_rgb
from kornia_srgan.weights.files import save_weights

LR_SIDE, BATCH = 48, 6
MOSAICS, SQUARE, MARGIN = (
    2,
    16,
    4,
)  # images of the batch; LR pixels of a square, and of its edge that need not be exact
LR, DECAY, FLAT_WEIGHT = 1e-4, 0.99, 5.0


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
    parser.add_argument(
        "--exact", action="store_true", help="compute in float32; bfloat16 is off by one level"
    )
    args = parser.parse_args()

    loaded = load_generator(args.weights)
    teacher = loaded.module.eval().requires_grad_(False)
    averaged = train(teacher, loaded.spec.scale, photographs(args.folders), args)
    before = loaded.spec.training.get("colours")
    done = f"{args.steps} steps of docs/keep_colours.py{' in float32' if args.exact else ''} after it"
    training = {**loaded.spec.training, "colours": f"{before}, then {done}" if before else done}
    save_weights(args.output, averaged.state_dict(), replace(loaded.spec, training=training))


def photographs(folders: list[str]) -> list[Tensor]:
    """The images of the folders, `(3, H, W)` in 0 to 255."""
    return [torch.from_numpy(read_rgb(path)).permute(2, 0, 1) for path in find_images(folders)]


def train(teacher: nn.Module, scale: int, images: list[Tensor], args: argparse.Namespace) -> nn.Module:
    """A copy of the teacher that keeps colours: the moving average of its weights."""
    student, averaged = deepcopy(teacher).requires_grad_(True), deepcopy(teacher)
    optimizer = torch.optim.Adam(student.parameters(), LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps, 1e-7)
    draws = torch.Generator().manual_seed(0)
    images = [image for image in images if min(image.shape[1:]) >= LR_SIDE * scale]
    for step in range(args.steps):
        lr, flat = with_colours(crops(images, scale, args.degradation, draws), draws)
        flat, colours = enlarged(flat, scale), enlarged(lr, scale)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=not args.exact):
            old = teacher(lr).float()
        with torch.autocast("cpu", torch.bfloat16, enabled=not args.exact):
            new = student(lr).float()
        off = torch.where(flat, from_colours(new, colours), (new - old).abs())
        loss = (off * torch.where(flat, FLAT_WEIGHT, 1.0)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for mean, now in zip(averaged.parameters(), student.parameters(), strict=True):
                mean.lerp_(now, 1 - min(DECAY, step / (step + 10)))
        if step % 50 == 49:
            print(
                f"step {step + 1}: {255 * off.mean():.3f} grey levels off, weighted {255 * loss:.3f}",
                flush=True,
            )
    return averaged


def from_colours(new: Tensor, colours: Tensor) -> Tensor:
    """Distances to flat colours. White and black aim half a level beyond: what is beyond is cut off."""
    half = 0.5 / 255
    above, below = (colours + half - new).relu(), (new - colours + half).relu()
    return torch.where(colours >= 1, above, torch.where(colours <= 0, below, (new - colours).abs()))


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


def with_colours(lr: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Put mosaics of flat colours in the last crops; also where they must be exact, `(B, 1, H, W)`."""
    lr, flat = lr.clone(), torch.zeros_like(lr[:, :1], dtype=torch.bool)
    inside = torch.zeros(SQUARE, SQUARE, dtype=torch.bool)
    inside[MARGIN:-MARGIN, MARGIN:-MARGIN] = True
    side = LR_SIDE // SQUARE
    for image, where in zip(lr[-MOSAICS:], flat[-MOSAICS:], strict=True):
        colours = torch.rand(3, side, side, generator=draws)
        extreme = torch.rand(3, side, side, generator=draws) < 0.4  # of each channel: saturated colours too
        colours = torch.where(extreme, colours.round(), colours)
        white = torch.rand(side, side, generator=draws) < 0.25
        colours = torch.where(white, 1.0, colours)
        image.copy_(enlarged(colours[None], SQUARE)[0])
        where.copy_(inside.repeat(side, side)[None])
    return lr, flat


def enlarged(x: Tensor, scale: int) -> Tensor:
    """Every pixel repeated."""
    return x.repeat_interleave(scale, 2).repeat_interleave(scale, 3)


if __name__ == "__main__":
    main()

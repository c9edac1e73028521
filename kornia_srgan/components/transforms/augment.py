"""Augmentations of HR crops, in batch on their device.

What an image becomes depends on the image and its own seed, never on the others in its batch: so a run split
over several processes draws what one process draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from kornia_srgan.components.transforms.seeding import check_seeds, seeded_rng, to_device
from kornia_srgan.errors import ArgumentError, did_you_mean
from kornia_srgan.rng import draw_bits, draw_uniform


class Dihedral:
    """One of the eight symmetries of the square for each image: flips and quarter turns, without resampling.

    Images must be square, for a transposed one to fit into the batch.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.transforms.augment import Dihedral
        >>> Dihedral()(torch.rand(2, 3, 8, 8), seeds=(1, 2)).shape
        torch.Size([2, 3, 8, 8])
    """

    keeps_pairs = True

    def __call__(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Turn and flip `(B, 3, H, H)`; one seed per image. The values are moved, never changed.

        Raises:
            ArgumentError: If the images are not square or the number of seeds is another.
        """
        check_seeds(images, seeds)
        height, width = images.shape[-2:]
        if height != width:
            raise ArgumentError(
                f"augmentation 'dihedral' needs square crops; got {height}x{width}", where="dihedral"
            )
        coins = draw_uniform(seeds, stream="dihedral", count=3) < 0.5
        if images.device.type == "cpu":  # a tenth of the time; on a GPU it would be a launch for each image
            return torch.stack(
                [_turn(image, *coin) for image, coin in zip(images, coins.tolist(), strict=True)]
            )
        chosen = to_device(coins, images, torch.bool)[:, :, None, None, None].unbind(1)
        images = torch.where(chosen[0], images.flip(-1), images)
        images = torch.where(chosen[1], images.flip(-2), images)
        return torch.where(chosen[2], images.transpose(-1, -2), images)


def _turn(image: Tensor, mirror: bool, upside_down: bool, transpose: bool) -> Tensor:
    axes = [axis for axis, flip in ((-1, mirror), (-2, upside_down)) if flip]
    image = image.flip(axes) if axes else image
    return image.transpose(-1, -2) if transpose else image


class ColorJiggle:
    """Random brightness, contrast, saturation and hue, by Kornia's adjustments, in that order.

    Args:
        brightness: Largest amount added to or taken from all channels.
        contrast: Largest change of the contrast factor from 1.
        saturation: Largest change of the saturation factor from 1.
        hue: Largest turn of the hue in turns, at most 0.5.
        p: Probability that an image is changed.

    Raises:
        ArgumentError: If an amount is outside its range.
    """

    keeps_pairs = True

    def __init__(
        self,
        *,
        brightness: float = 0.1,
        contrast: float = 0.1,
        saturation: float = 0.1,
        hue: float = 0.02,
        p: float = 0.5,
    ) -> None:
        for name, value, largest in (
            ("brightness", brightness, 1.0),
            ("contrast", contrast, 1.0),
            ("saturation", saturation, 1.0),
            ("hue", hue, 0.5),
            ("p", p, 1.0),
        ):
            if not 0 <= value <= largest:
                raise ArgumentError(
                    f"color_jiggle: {name} must lie in [0, {largest:g}]; got {value}", where=name
                )
        self.amounts = (brightness, contrast, saturation, hue)
        self.p = p

    def __call__(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Change `(B, 3, H, W)` in [0, 1], one seed per image; the result is clamped to [0, 1]."""
        from kornia.enhance import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation

        check_seeds(images, seeds)
        drawn = draw_uniform(seeds, stream="color_jiggle", count=5)
        with torch.autocast(images.device.type, enabled=False):
            x = images.float()
            amounts = to_device((drawn[:, :4] * 2 - 1) * self.amounts, x)
            brightness, contrast, saturation, hue = amounts.unbind(1)
            x = adjust_brightness(x, brightness)
            x = adjust_contrast(x, 1 + contrast)
            x = adjust_saturation(x, 1 + saturation)
            x = adjust_hue(x, hue * 2 * math.pi).clamp(0, 1)
        chosen = to_device(drawn[:, 4] < self.p, x, torch.bool)
        return torch.where(chosen[:, None, None, None], x.to(images.dtype), images)


class KorniaAugmentation:
    """Any augmentation of `kornia.augmentation` by its name.

    It is called image by image, each time with torch's generators seeded from the image's seed, and the
    generators are put back afterwards. That costs a call per image: `dihedral` and `color_jiggle` are faster.

    Args:
        augmentation: A class of `kornia.augmentation`, such as `RandomGaussianBlur`.
        args: Its arguments, such as `{kernel_size: [3, 3], sigma: [0.1, 2.0], p: 0.5}`.

    Raises:
        ArgumentError: If Kornia has no such augmentation or it does not take such arguments.
    """

    def __init__(self, *, augmentation: str, args: dict[str, Any] | None = None) -> None:
        from kornia import augmentation as kornia_augmentation

        known = [n for n in dir(kornia_augmentation) if n.startswith(("Random", "Color"))]
        if augmentation not in known:
            hint = did_you_mean(augmentation, known)
            raise ArgumentError(
                f"augmentation 'kornia': no '{augmentation}' in kornia.augmentation{hint}",
                where="augmentation",
            )
        try:
            self._augment = getattr(kornia_augmentation, augmentation)(**(args or {}))
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                f"augmentation 'kornia': {augmentation}: {error}", where=augmentation
            ) from error
        self.name = augmentation

    def __call__(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Change `(B, 3, H, W)` in [0, 1], one seed per image; the result is clamped to [0, 1].

        Raises:
            ArgumentError: If the augmentation changes the size of images.
        """
        check_seeds(images, seeds)
        bits = draw_bits(seeds, stream=f"kornia.{self.name}")[:, 0]
        out = []
        with torch.autocast(images.device.type, enabled=False):
            for image, seed in zip(images.float().split(1), bits.tolist(), strict=True):
                with seeded_rng(seed, images.device):
                    out.append(self._augment(image).clamp(0, 1))
        result = torch.cat(out).to(images.dtype)
        if result.shape != images.shape:
            sizes = f"{tuple(images.shape[-2:])} to {tuple(result.shape[-2:])}"
            raise ArgumentError(
                f"augmentation 'kornia': {self.name} changes the size of images, {sizes}", where=self.name
            )
        return result

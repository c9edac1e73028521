"""Augmentations of HR crops, in batch on their device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kornia_srgan.components.transforms.seeding import draw_bits, seeded_rng
from kornia_srgan.errors import ArgumentError


class Dihedral:
    """One of the eight symmetries of the square for each image: flips and quarter turns, without resampling.

    Images must be square, for a transposed one to fit into the batch.

    Example:
        >>> import torch
        >>> from kornia_srgan.components.transforms.augment import Dihedral
        >>> Dihedral()(torch.rand(2, 3, 8, 8), seeds=(1, 2)).shape
        torch.Size([2, 3, 8, 8])
    """

    def __call__(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Turn and flip `(B, 3, H, H)`; one seed per image. The values are moved, never changed.

        Raises:
            ArgumentError: If the images are not square or the number of seeds is another.
        """
        check_seeds(images, seeds)
        if images.shape[-1] != images.shape[-2]:
            raise ArgumentError(
                f"augmentation 'dihedral' needs square crops; got {images.shape[-2]}x{images.shape[-1]}"
            )
        bits = draw_bits(seeds, stream="dihedral")
        for bit, move in enumerate(
            (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.transpose(-1, -2))
        ):
            chosen = torch.tensor([bool(b >> bit & 1) for b in bits])
            if images.device.type != "cpu":
                chosen = chosen.pin_memory() if images.device.type == "cuda" else chosen
                chosen = chosen.to(images.device, non_blocking=True)
            images = torch.where(chosen[:, None, None, None], move(images), images)
        return images


class ColorJiggle:
    """Kornia's `ColorJiggle`: random brightness, contrast, saturation and hue, in random order.

    Args:
        brightness: Largest change of the brightness factor from 1.
        contrast: Largest change of the contrast factor from 1.
        saturation: Largest change of the saturation factor from 1.
        hue: Largest turn of the hue, in turns, at most 0.5.
        p: Probability that an image is changed.
    """

    def __init__(
        self,
        *,
        brightness: float = 0.1,
        contrast: float = 0.1,
        saturation: float = 0.1,
        hue: float = 0.02,
        p: float = 0.5,
    ) -> None:
        from kornia.augmentation import ColorJiggle as KorniaColorJiggle

        self._jiggle = KorniaColorJiggle(brightness, contrast, saturation, hue, p=1.0)
        self.p = p

    def __call__(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        """Change `(B, 3, H, W)` in [0, 1]; one seed per image.

        Each image is drawn from its own seed, so that it does not matter which others are in its batch.
        """
        check_seeds(images, seeds)
        bits = draw_bits(seeds, stream="color_jiggle")
        out = images.clone()
        with torch.autocast(images.device.type, enabled=False):
            for i, b in enumerate(bits):
                if (b >> 11) * 2.0**-53 < self.p:
                    with seeded_rng(b, images.device):
                        out[i : i + 1] = self._jiggle(images[i : i + 1].float()).to(images.dtype)
        return out


def check_seeds(images: Tensor, seeds: Sequence[int]) -> None:
    """Raise `ArgumentError` unless there is one seed per image."""
    if len(seeds) != len(images):
        raise ArgumentError(f"an augmentation needs one seed per image; got {len(seeds)} for {len(images)}")

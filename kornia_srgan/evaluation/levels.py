"""The levels of the protocol `photo`: LR images with noise and JPEG artefacts, the same ones each time.

A level is applied to the 8-bit LR image of the set, or to the one made by bicubic.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True)
class Level:
    """A degradation of LR images.

    Attributes:
        name: Its name in the table.
        sigma: Standard deviation of the Gaussian noise, in grey levels of 255.
        quality: Pillow's JPEG quality, with half-size chroma; None for no JPEG.
    """

    name: str
    sigma: float = 0
    quality: int | None = None

    def degrade(self, pixels: np.ndarray, seed: int) -> np.ndarray:
        """Noise, then JPEG.

        Args:
            pixels: uint8 RGB `(H, W, 3)`.
            seed: The position of the image among the sorted names of its set, from 0.

        Returns:
            uint8 RGB `(H, W, 3)`.
        """
        import numpy as np
        from PIL import Image

        noisy = pixels.astype(np.float32)
        if self.sigma:
            noisy = noisy + np.random.default_rng(seed).normal(0, self.sigma, noisy.shape)
        image = Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8))
        if self.quality:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=self.quality)
            image = Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")
        return np.asarray(image)

    def __call__(self, lr: Tensor, seed: int) -> Tensor:
        """`degrade` for RGB `(1, 3, h, w)` in [0, 1], on steps of 1/255."""
        import torch

        pixels = (lr[0] * 255 + 0.5).byte().permute(1, 2, 0).numpy()
        degraded = torch.from_numpy(self.degrade(pixels, seed).copy())
        return degraded.permute(2, 0, 1).unsqueeze(0).float() / 255


PHOTO_LEVELS = (
    Level("clean"),
    Level("q90", quality=90),
    Level("q75", quality=75),
    Level("q50n3", sigma=3, quality=50),
    Level("n8", sigma=8),
)

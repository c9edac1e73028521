"""The degradation stage WebP, by Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kornia_srgan.components.transforms.stage_tools import Range, check_range, check_share, in_range
from kornia_srgan.contracts import Canvas
from kornia_srgan.errors import MissingExtraError
from kornia_srgan.rng import draw_uniform

_THREADS = 4  # Pillow codes without the interpreter's lock


class WebP:
    """WebP compression (lossy, VP8) at a quality for each image, by Pillow on the CPU, in a few threads.

    Images on another device travel to the CPU and back.

    Args:
        p: Probability that an image is compressed.
        quality: Range of the quality, which is rounded to a whole number.

    Raises:
        ArgumentError: If an argument is out of range.
        MissingExtraError: If this Pillow was built without WebP.
    """

    def __init__(self, *, p: float = 1.0, quality: Range = (30.0, 95.0)) -> None:
        from PIL import features

        if not features.check("webp"):
            raise MissingExtraError(
                "webp: this Pillow was built without WebP; pip install --upgrade pillow", where="webp"
            )
        self.p = check_share("webp: p", p)
        self.quality = check_range("webp: quality", quality, 0, 100)

    def __call__(self, canvas: Canvas, seeds: Sequence[int], size: tuple[int, int]) -> Canvas:
        """Compress each image and decode it again."""
        u = draw_uniform(seeds, stream="webp", count=2).T
        chosen = np.flatnonzero(u[0] < self.p).tolist()
        if not chosen:
            return canvas
        quality = np.rint(in_range(u[1], self.quality)).astype(int).tolist()
        levels = (canvas.pixels.clamp(0, 1) * 255).round().to(torch.uint8).cpu()

        def coded(i: int) -> Tensor:
            image = levels[i, :, : canvas.heights[i], : canvas.widths[i]].permute(1, 2, 0)
            found = torch.from_numpy(code_webp(image.numpy(), quality[i])).permute(2, 0, 1)
            room = levels.shape[-1] - canvas.widths[i], levels.shape[-2] - canvas.heights[i]
            return F.pad(found.float()[None] / 255, (0, room[0], 0, room[1]), mode="replicate")[0]

        with ThreadPoolExecutor(min(_THREADS, len(chosen))) as pool:
            made = torch.stack(list(pool.map(coded, chosen)))
        pixels = canvas.pixels.clone()
        pixels[torch.tensor(chosen, device=pixels.device)] = made.to(pixels)
        return Canvas(pixels, canvas.heights, canvas.widths)


def code_webp(image: np.ndarray, quality: int) -> np.ndarray:
    """uint8 `(H, W, 3)` encoded and decoded again."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(file, "WEBP", quality=quality)
    with Image.open(file) as found:
        return np.array(found.convert("RGB"))

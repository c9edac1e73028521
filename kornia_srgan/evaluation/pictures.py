"""Side-by-side crops: what the figures of an evaluation look like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kornia_srgan.atomic import replacing
from kornia_srgan.evaluation.report import format_metrics, metric_title
from kornia_srgan.photos.outputs import mark_results

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from kornia_srgan.evaluation.evaluate import ImageResult

_CAPTION = 34
_GAP = 4


@dataclass(frozen=True)
class Panel:
    """One crop and what stands below it."""

    title: str
    caption: str
    crop: Image.Image


class CropSheets:
    """Collects the same crop of every model's result and writes one PNG for each image.

    The crop is the window of the true image with the most fine detail. Panels stand in the order of results,
    the true image last; only crops are kept in memory.

    Args:
        folder: Where the PNGs go.
        size: Side of the crop in HR pixels.
        zoom: Factor by which crops are shown, without smoothing.
    """

    def __init__(self, folder: str | Path, *, size: int = 96, zoom: int = 3) -> None:
        self.folder = Path(folder)
        self.size, self.zoom = size, zoom
        self._sheets: dict[tuple[str, int, str], list[Panel]] = {}
        self._truth: dict[tuple[str, int, str], Panel] = {}

    def add(self, result: ImageResult) -> None:
        """Take the crop of one result."""
        key = (result.dataset, result.scale, result.image)
        window = detailed_window(result.hr, self.size)
        names = " / ".join(metric_title(name) for name in result.metrics)
        panel = Panel(result.model, format_metrics(result.metrics), self._crop(result.sr, window))
        self._sheets.setdefault(key, []).append(panel)
        self._truth.setdefault(key, Panel("HR", names, self._crop(result.hr, window)))

    def write(self) -> list[Path]:
        """Write the PNGs.

        Raises:
            UserError: If the folder cannot be written.
        """
        paths = {key: self.folder / f"{key[0]}_x{key[1]}_{key[2]}.png" for key in self._sheets}
        mark_results(paths.values())
        for key, panels in self._sheets.items():
            _save(_sheet([*panels, self._truth[key]]), paths[key])
        return list(paths.values())

    def _crop(self, image: Tensor, window: tuple[slice, slice]) -> Image.Image:
        from PIL import Image

        pixels = (image[0][(slice(None), *window)].clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).numpy()
        small = Image.fromarray(pixels)
        return small.resize((small.width * self.zoom, small.height * self.zoom), Image.Resampling.NEAREST)


def detailed_window(image: Tensor, size: int) -> tuple[slice, slice]:
    """Rows and columns of the window with the largest mean of local differences; all of a small image."""
    import torch.nn.functional as F

    height, width = image.shape[-2:]
    rows, columns = min(size, height), min(size, width)
    grey = image.double().mean(1, keepdim=True)
    detail = (grey - F.avg_pool2d(grey, 3, 1, 1, count_include_pad=False)).abs()
    means = F.avg_pool2d(detail, (rows, columns), stride=4)
    best = int(means.argmax())
    top, left = (4 * position for position in divmod(best, means.shape[-1]))
    return slice(top, top + rows), slice(left, left + columns)


def _sheet(panels: list[Panel]) -> Image.Image:
    from PIL import Image, ImageDraw

    width, height = panels[0].crop.size
    sheet = Image.new("RGB", (len(panels) * (width + _GAP) - _GAP, height + _CAPTION), "white")
    draw = ImageDraw.Draw(sheet)
    for index, panel in enumerate(panels):
        left = index * (width + _GAP)
        sheet.paste(panel.crop, (left, 0))
        draw.text((left + 4, height + 3), panel.title, fill="black")
        draw.text((left + 4, height + 18), panel.caption, fill=(90, 90, 90))
    return sheet


def _save(picture: Image.Image, path: Path) -> None:
    with replacing(path) as temporary:
        picture.save(temporary, format="png")

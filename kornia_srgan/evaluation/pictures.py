"""Contact sheets: the whole image with a frame, and the framed crop by every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kornia_srgan.atomic import replacing
from kornia_srgan.evaluation.report import format_metrics, metric_title
from kornia_srgan.evaluation.windows import CropWindow, detailed_window, differing_window, pixel_deviation
from kornia_srgan.photos.outputs import mark_results

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from kornia_srgan.evaluation.evaluate import ImageResult

Choice = Literal["detail", "difference"]
_CAPTION, _GAP, _TEXT = 38, 6, 13
_FRAME = (214, 39, 40)
_GREY = (90, 90, 90)


@dataclass(frozen=True)
class Panel:
    """One crop with its title and caption."""

    title: str
    caption: str
    crop: Image.Image


@dataclass(frozen=True)
class Sheet:
    """The contact sheet of one image.

    Attributes:
        name: File name without suffix.
        whole: The HR image.
        window: The window of the crops.
        panels: The crops, HR last.
        differ: How much the models' crops differ, as a standard deviation in [0, 1].
    """

    name: str
    whole: Image.Image
    window: CropWindow
    panels: tuple[Panel, ...]
    differ: float


@dataclass
class CropSheets:
    """Collects the results of an evaluation and writes one PNG per image.

    Panels are in the order of results, HR last; the scores below are those of the whole image. All results of
    an image must be added in sequence, as `evaluate` does.

    Args:
        folder: Folder of the PNGs.
        size: Side of the crop in HR pixels.
        zoom: Magnification of crops, without smoothing.
        choose: How crops are chosen: `detail`, the finest detail in HR, or `difference`, where the models
            differ most.
        windows: Crops by hand, by image or `SET/IMAGE`; then only these images are shown.
        best: Number of images to show, those whose crops differ most; None for all.
        whole: Show the whole image on the left, with a frame around the crop.
    """

    folder: Path | str
    size: int = 96
    zoom: int = 3
    choose: Choice = "detail"
    windows: Mapping[str, CropWindow] = field(default_factory=dict)
    best: int | None = None
    whole: bool = True
    _pending: list[ImageResult] = field(default_factory=list)
    _sheets: list[Sheet] = field(default_factory=list)
    _shown: set[str] = field(default_factory=set)

    def add(self, result: ImageResult) -> None:
        """Add one result."""
        if self._pending and _key(self._pending[0]) != _key(result):
            self._finish()
        self._pending.append(result)

    def write(self) -> list[Path]:
        """Write the PNGs and return their paths.

        Raises:
            UserError: If the folder cannot be written, or an image of `windows` is in no set.
        """
        from kornia_srgan.errors import UserError

        self._finish()
        chosen = self._sheets
        if self.best is not None:
            chosen = sorted(chosen, key=lambda sheet: -sheet.differ)[: self.best]
        paths = [Path(self.folder) / f"{sheet.name}.png" for sheet in chosen]
        mark_results(paths)
        for sheet, path in zip(chosen, paths, strict=True):
            with replacing(path) as temporary:
                draw_sheet(sheet, zoom=self.zoom, whole=self.whole).save(temporary, format="png")
        missing = [name for name in self.windows if name not in self._shown]
        if missing:
            raise UserError.at("--crop", f"no set has an image '{missing[0]}'; the other sheets were written")
        return paths

    def _finish(self) -> None:
        """Keep the crops of the image whose results are all here."""
        results, self._pending = self._pending, []
        if not results:
            return
        first = results[0]
        by_hand = next((n for n in _names(first) if n in self.windows), None)
        if self.windows and by_hand is None:
            return
        height, width = first.hr.shape[-2:]
        compared = [r.sr for r in results[1:] if r.sr.shape == first.hr.shape] or [first.sr]
        if by_hand is not None:
            window = self.windows[by_hand].within(width, height)
            self._shown.add(by_hand)
        elif self.choose == "difference":
            window = differing_window(compared if len(compared) > 1 else [*compared, first.hr], self.size)[0]
        else:
            window = detailed_window(first.hr, self.size)
        panels = [Panel(r.model, format_metrics(r.metrics), _image(window.cut(r.sr))) for r in results]
        titles = " / ".join(metric_title(name) for name in first.metrics)
        truth = Panel("HR", titles, _image(window.cut(first.hr)))
        differ = float(window.cut(pixel_deviation(compared)).mean())
        name = f"{first.dataset}_x{first.scale}_{first.image}".replace(" ", "_").replace("/", "_")
        self._sheets.append(Sheet(name, _image(first.hr), window, (*panels, truth), differ))


def draw_sheet(sheet: Sheet, *, zoom: int, whole: bool) -> Image.Image:
    """A sheet as a picture: the whole image and two rows of crops, or one row of crops alone."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_TEXT)
    rows = 2 if whole and len(sheet.panels) > 3 else 1
    columns = -(-len(sheet.panels) // rows)
    side = (sheet.window.width * zoom, sheet.window.height * zoom)
    widest = max(font.getlength(text) for p in sheet.panels for text in (p.title, p.caption))
    cell = max(side[0], int(widest) + 8)
    height = rows * (side[1] + _CAPTION)
    overview = _overview(sheet, height - _CAPTION) if whole else None
    start = overview.width + 2 * _GAP if overview else 0
    picture = Image.new("RGB", (start + columns * (cell + _GAP) - _GAP, height), "white")
    pen = ImageDraw.Draw(picture)
    if overview:
        picture.paste(overview, (0, 0))
        pen.text((2, overview.height + 3), sheet.name, fill="black", font=font)
    for index, panel in enumerate(sheet.panels):
        row, column = divmod(index, columns)
        left, top = start + column * (cell + _GAP), row * (side[1] + _CAPTION)
        picture.paste(panel.crop.resize(side, Image.Resampling.NEAREST), (left, top))
        pen.text((left + 2, top + side[1] + 2), panel.title, fill="black", font=font)
        pen.text((left + 2, top + side[1] + 18), panel.caption, fill=_GREY, font=font)
    return picture


def _overview(sheet: Sheet, height: int) -> Image.Image:
    """The whole image, at most so high and half as wide again, with a frame around the crop."""
    from PIL import Image, ImageDraw

    factor = min(height / sheet.whole.height, 1.5 * height / sheet.whole.width)
    size = (max(1, round(sheet.whole.width * factor)), max(1, round(sheet.whole.height * factor)))
    small = sheet.whole.resize(size, Image.Resampling.LANCZOS)
    window = sheet.window
    box = [window.left, window.top, window.left + window.width, window.top + window.height]
    ImageDraw.Draw(small).rectangle([round(edge * factor) for edge in box], outline=_FRAME, width=3)
    return small


def _key(result: ImageResult) -> tuple[str, int, str]:
    return result.dataset, result.scale, result.image


def _names(result: ImageResult) -> Sequence[str]:
    """How an image may be called, the most exact first."""
    return f"{result.dataset}/{result.image}", f"{result.dataset.split(' ')[0]}/{result.image}", result.image


def _image(tensor: Tensor) -> Image.Image:
    from PIL import Image

    return Image.fromarray((tensor[0].clamp(0, 1) * 255 + 0.5).byte().permute(1, 2, 0).numpy())

"""Draws a contact sheet: images with problems first, then a sample of the others."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from kornia_srgan.atomic import replacing
from kornia_srgan.data.images import read_rgb
from kornia_srgan.data.shards import Located
from kornia_srgan.errors import ImageError
from kornia_srgan.photos.outputs import mark_results
from kornia_srgan.survey.findings import Survey

_SIDE, _CAPTION, _GAP, _COLUMNS = 180, 34, 8, 8
_BAD, _PLAIN = (190, 30, 30), (70, 70, 70)


def write_sheet(survey: Survey, path: Path, *, cells: int = 64) -> int:
    """Draw thumbnails with the names and problems of images.

    Images with a problem come first, then others at even intervals. Images in archives are left out.

    Args:
        survey: The findings.
        path: The PNG.
        cells: Largest number of images.

    Returns:
        The number of images shown.

    Raises:
        UserError: If it cannot be written.
    """
    told: dict[str, list[str]] = {}
    for problem in survey.problems:
        told.setdefault(problem.path, []).append(problem.kind)
    names = [p.path for p in survey.pictures if Path(p.path).is_file()]
    bad = [name for name in names if name in told][:cells]
    rest = [name for name in names if name not in told]
    free = min(cells - len(bad), len(rest))
    chosen = bad + [rest[i * len(rest) // free] for i in range(free)]
    rows = max(1, -(-len(chosen) // _COLUMNS))
    width, height = (_SIDE + _GAP) * _COLUMNS + _GAP, (_SIDE + _CAPTION + _GAP) * rows + _GAP
    sheet = Image.new("RGB", (width, height), (250, 250, 250))
    for number, name in enumerate(chosen):
        row, column = divmod(number, _COLUMNS)
        left, top = _GAP + column * (_SIDE + _GAP), _GAP + row * (_SIDE + _CAPTION + _GAP)
        _draw(sheet, (left, top), Path(name), told.get(name, []))
    mark_results([path])
    with replacing(path) as temporary:
        sheet.save(temporary, format="png")
    return len(chosen)


def _draw(sheet: Image.Image, corner: tuple[int, int], path: Path, told: list[str]) -> None:
    try:
        image = Image.fromarray(read_rgb(Located(path).open(), path))
    except ImageError:  # it was there a moment ago
        return
    image.thumbnail((_SIDE, _SIDE))
    left, top = corner
    inside = (left + (_SIDE - image.width) // 2, top + (_SIDE - image.height) // 2)
    sheet.paste(image, inside)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    if told:
        box = (inside[0] - 2, inside[1] - 2, inside[0] + image.width + 1, inside[1] + image.height + 1)
        pen.rectangle(box, outline=_BAD, width=2)
    pen.text((left, top + _SIDE + 3), _short(path.name), fill=_PLAIN, font=font)
    pen.text((left, top + _SIDE + 17), _short(", ".join(told)), fill=_BAD, font=font)


def _short(text: str, length: int = 28) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."

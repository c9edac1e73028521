"""Make the figures and the picture of README and docs/results.md again, from the packaged weights.

usage: python docs/update_results.py DIR   (with the sets Set5 and Set14; layouts: docs/guides/evaluating.md)
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image

from kornia_srgan import Upscaler, evaluate, load_generator
from kornia_srgan.evaluation.pictures import CropSheets
from kornia_srgan.weights.locate import zoo_names

ROOT = Path(__file__).resolve().parents[1]
PICTURE = "docs/images/before-after.png"
BEFORE_AFTER = "docs/images/upscaled-coffee.png"


def main(data: str) -> None:
    """Evaluate every packaged weight and write the pages."""
    models = {name: load_generator(name).module for name in zoo_names()}
    table = evaluate(models, data, metrics=("psnr", "ssim", "niqe")).to_markdown()
    for page in ("README.md", "docs/results.md"):
        replace(ROOT / page, "results", table)
    with tempfile.TemporaryDirectory() as folder:
        sheets = CropSheets(folder, size=112, zoom=2, whole=False)
        four = {name: model for name, model in models.items() if model.scale == 4}
        evaluate(four, ROOT / "docs/images/hr", metrics=("psnr", "ssim"), on_result=sheets.add)
        shutil.move(sheets.write()[0], ROOT / PICTURE)  # may be another file system
    before_after(ROOT / "docs/images/coffee_lr.png", ROOT / BEFORE_AFTER)
    caption = f"Bicubic, {', '.join(four)}, and the photograph"
    replace(ROOT / "README.md", "picture", f"![{caption}]({PICTURE})\n")
    print(table, end="")


def before_after(photo: Path, picture: Path) -> None:
    """The photograph's own pixels beside what the default weights make of them."""
    with Image.open(photo) as opened:
        before = opened.convert("RGB")
    after = Upscaler.from_pretrained()(before)
    width, height = after.size
    both = Image.new("RGB", (2 * width + 6, height), "white")
    both.paste(before.resize(after.size, Image.Resampling.NEAREST), (0, 0))
    both.paste(after, (width + 6, 0))
    both.save(picture, optimize=True)


def replace(page: Path, mark: str, text: str) -> None:
    """Put text between `<!-- mark -->` and `<!-- /mark -->`."""
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.S)
    page.write_text(pattern.sub(lambda m: m[1] + text + m[2], page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])

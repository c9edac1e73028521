"""Make the pictures of docs/results.md that show photographs without a reference, at full size.

usage: python docs/real_pictures.py FOLDER [--quality 82]

Each photograph of FOLDER is enlarged by the command: bicubic, `--restore 0`, the default (`auto`) and
`--sharp 1`, and the four are put side by side in docs/images/real/NAME.webp, none of them made smaller.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs/images/real"
MARGIN, LABEL = 8, 28
SETTINGS = {
    "--restore 0": ("--restore", "0"),
    "auto, the default": (),
    "--sharp 1": ("--sharp", "1"),
}


def main() -> None:
    """Write one picture for each photograph, and the lines of the page that show them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--quality", type=int, default=82, help="of WebP, 1 to 100")
    given = parser.parse_args()
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        results = {label: enlarge(given.folder, Path(name) / str(i), args)
                   for i, (label, args) in enumerate(SETTINGS.items())}  # fmt: skip
        for photo in sorted(given.folder.iterdir()):
            panels = [("bicubic", bicubic(photo))]
            for label, files in results.items():
                file, restore = files[photo.name]
                told = f" (restore {restore:.2f})" if label.startswith("auto") else ""
                panels.append((label + told, flat(Image.open(file))))
            target = TARGET / f"{photo.stem}.webp"
            side_by_side(panels).save(target, quality=given.quality, method=6)
            print(f"{target.relative_to(ROOT)}: {', '.join(label for label, _ in panels)}")


def enlarge(folder: Path, output: Path, args: tuple[str, ...]) -> dict[str, tuple[Path, float]]:
    """The command on a folder: for each photograph its result, and where the dial stood."""
    report = output / "report.json"
    command = [sys.executable, "-m", "kornia_srgan", "upscale", str(folder), "-o", str(output)]
    subprocess.run([*command, "--format", "png", "--quiet", "--json", str(report), *args], check=True)
    files = json.loads(report.read_text("utf-8"))["files"]
    return {Path(file["source"]).name: (output / file["target"], file["restore"]) for file in files}


def bicubic(photo: Path) -> Image.Image:
    """The photograph, four times as large by Pillow's bicubic."""
    with Image.open(photo) as opened:
        image = flat(opened)
    return image.resize((4 * image.width, 4 * image.height), Image.Resampling.BICUBIC)


def flat(image: Image.Image) -> Image.Image:
    """As RGB, over white."""
    if "A" not in image.getbands():
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def side_by_side(panels: list[tuple[str, Image.Image]]) -> Image.Image:
    """Four pictures of one size in two rows, each under its name."""
    width, height = panels[0][1].size
    sheet = Image.new("RGB", (2 * width + MARGIN, 2 * (height + LABEL) + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(20)
    for index, (label, picture) in enumerate(panels):
        x, y = index % 2 * (width + MARGIN), index // 2 * (height + LABEL + MARGIN)
        draw.text((x + 4, y + 2), label, fill="black", font=font)
        sheet.paste(picture, (x, y + LABEL))
    return sheet


if __name__ == "__main__":
    main()

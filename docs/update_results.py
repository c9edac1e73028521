"""Make the figures, tables and pictures of README and docs/results.md again.

usage: python docs/update_results.py DIR [CHECKPOINT...] [--only results photo pictures]

DIR holds the sets Set5 and Set14 (layouts: docs/guides/evaluating.md). Checkpoints of other projects get rows
of their own in the tables of damaged photographs and in the plot. Speeds are measured on this machine: leave
it alone meanwhile.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from PIL import Image
from torch import nn

from kornia_srgan import Upscaler, evaluate, load_generator
from kornia_srgan.allocator import keep_freed_memory
from kornia_srgan.benchmarking.forward import run_forward
from kornia_srgan.benchmarking.machine import machine_in_words
from kornia_srgan.benchmarking.plan import Plan
from kornia_srgan.benchmarking.schema import ForwardDocument
from kornia_srgan.benchmarking.subjects import find_subjects
from kornia_srgan.evaluation.pareto import plot_pareto
from kornia_srgan.evaluation.pictures import CropSheets
from kornia_srgan.evaluation.report import Report
from kornia_srgan.markdown import markdown_table
from kornia_srgan.weights.locate import zoo_names

ROOT = Path(__file__).resolve().parents[1]
PICTURE = "docs/images/before-after.png"
BEFORE_AFTER = "docs/images/upscaled-coffee.png"
PARETO = "docs/images/pareto.png"
PARTS = ("results", "photo", "pictures")
SPEED = Plan(sizes=[(180, 320)], repeats=7)


def main() -> None:
    """Evaluate every packaged weight and write the pages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", metavar="DIR")
    parser.add_argument("checkpoints", metavar="CHECKPOINT", nargs="*", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_intermixed_args()
    keep_freed_memory()  # as the commands do
    models = {name: load_generator(name).module for name in zoo_names()}
    if "results" in given.only:
        results(models, given.data)
    if "photo" in given.only:
        photo(models, given.data, given.checkpoints)
    if "pictures" in given.only:
        pictures(models)


def results(models: Mapping[str, nn.Module], data: str) -> None:
    """The table of clean LR images, in README and docs/results.md."""
    table = evaluate(models, data, metrics=("psnr", "ssim", "niqe")).to_markdown()
    for page in ("README.md", "docs/results.md"):
        replace(ROOT / page, "results", table)
    print(table, end="")


def photo(models: Mapping[str, nn.Module], data: str, checkpoints: list[Path]) -> None:
    """Quality at every level of damaged LR images, with speed beside it, and the plot."""
    others = {path.stem: load_generator(path).module for path in checkpoints}
    report = evaluate({**models, **others}, data, protocol="photo", metrics=("psnr", "ssim"))
    speeds = run_forward(find_subjects(weights=[*models, *map(str, checkpoints)]), SPEED)
    text = photo_tables(report, speeds) + f"\n![Quality over speed]({PARETO.removeprefix('docs/')})\n"
    replace(ROOT / "docs/results.md", "photo", text)
    print(text, end="")
    four = Report(report.protocol, tuple(row for row in report.rows if row.scale == 4), report.versions,
                  report.higher_is_better)  # fmt: skip
    sets = [name for name in four.datasets if name.startswith("Set14 ")] or four.datasets
    (ROOT / PARETO).write_bytes(plot_pareto(four, speeds, sets=sets[:3])[0])


def photo_tables(report: Report, speeds: ForwardDocument) -> str:
    """A table for each set: a row for each model, its size and speed, and a column for each level."""
    sets = list(dict.fromkeys(name.rpartition(" ")[0] for name in report.datasets))
    text = ""
    for name in sets:
        columns = [dataset for dataset in report.datasets if dataset.rpartition(" ")[0] == name]
        headings = ["model", "scale", "parameters", "MP/s", *(c.rpartition(" ")[2] for c in columns)]
        by_place = {(row.model, row.scale, row.dataset): row for row in report.rows}
        lines = []
        for model, scale in dict.fromkeys((row.model, row.scale) for row in report.rows):
            rows = [by_place[model, scale, column] for column in columns]
            count = rows[0].parameters
            cells = [f"{row.format('psnr')} / {row.format('ssim')}" for row in rows]
            size = f"{count / 1e6:.2f} M" if count else ""
            lines.append([model, f"x{scale}", size, speed(speeds, model, scale), *cells])
        text += f"{name}, PSNR / SSIM:\n\n{markdown_table(headings, lines)}\n"
    height, width = SPEED.sizes[0]
    note = f"MP/s: megapixels of output a second from LR of {width}×{height}, median [quartiles]"
    return f"{text}{note}; {machine_in_words(speeds.machine)}.\n"


def speed(speeds: ForwardDocument, model: str, scale: int) -> str:
    """`0.24 [0.22, 0.25]`; empty for what was not measured."""
    for case in speeds.cases:
        if case.scale == scale and model in (case.subject, Path(case.subject).stem):
            found = speeds.speed(case.runs[0])
            return f"{found.median:.3g} [{found.q1:.3g}, {found.q3:.3g}]" if found else "failed"
    return ""


def pictures(models: Mapping[str, nn.Module]) -> None:
    """The crop side by side, and the photograph before and after."""
    with tempfile.TemporaryDirectory() as folder:
        sheets = CropSheets(folder, size=112, zoom=2, whole=False)
        four = {name: model for name, model in models.items() if model.scale == 4}
        evaluate(four, ROOT / "docs/images/hr", metrics=("psnr", "ssim"), on_result=sheets.add)
        shutil.move(sheets.write()[0], ROOT / PICTURE)  # may be another file system
    before_after(ROOT / "docs/images/coffee_lr.png", ROOT / BEFORE_AFTER)
    caption = f"Bicubic, {', '.join(four)}, and the photograph"
    replace(ROOT / "README.md", "picture", f"![{caption}]({PICTURE})\n")


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
    main()

"""The figures that README and docs/results.md print are those of the packaged weights."""

import re

import pytest

from kornia_srgan.weights.locate import zoo_names
from tests.helpers import reports
from tests.helpers.documents import made_up
from tests.helpers.scripts import load_script
from tests.helpers.snippets import ROOT

PAGES = ("README.md", "docs/results.md")


def rows(page):
    """Model to its printed row, of the table between the `results` comments."""
    table = re.search(r"<!-- results -->\n(.*?)<!-- /results -->", (ROOT / page).read_text("utf-8"), re.S)
    return {line.split("|")[1].strip(): line for line in table[1].splitlines()[2:]}


def test_both_pages_print_one_table():
    assert rows("README.md") == rows("docs/results.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_packaged_weight_has_its_row(page):
    assert set(rows(page)) == {"bicubic", *zoo_names()}


@pytest.mark.slow
def test_the_figures_of_set5_are_what_evaluate_prints(shared_data):
    from kornia_srgan import evaluate, load_generator
    from kornia_srgan.evaluation.report import format_metrics

    models = {name: load_generator(name).module for name in zoo_names()}
    report = evaluate(models, shared_data / "eval/Set5", metrics=("psnr", "ssim", "niqe"))
    found = [row for row in report.rows if row.scale == 4 or row.model in models]  # x2 has bicubic too
    evaluated = {row.model: format_metrics(row.mean) for row in found}
    assert evaluated == {name: row.split("|")[3].strip() for name, row in rows("README.md").items()}


def test_every_packaged_weight_is_in_the_tables_of_photographs():
    text = (ROOT / "docs/results.md").read_text("utf-8")
    block = re.search(r"<!-- photo -->\n(.*?)<!-- /photo -->", text, re.S)[1]
    if not block:
        pytest.skip("docs/update_results.py has not made them yet")
    tables = re.findall(r"PSNR / SSIM:\n\n(.*?)\n\n", block, re.S)
    assert tables
    for table in tables:
        assert {"bicubic", *zoo_names()} <= {line.split("|")[1].strip() for line in table.splitlines()[2:]}


def test_the_tables_of_photographs_have_speed_beside_quality():
    script = load_script(ROOT / "docs/update_results.py")
    levels = [
        reports.row(model, [p, p + 2], [0.5, 0.7], dataset=f"{name} {level}", second="ssim", **facts)
        for name in ("Set5", "Set 14")
        for level, p in (("clean", 30), ("q75", 20))
        for model, facts in (("bicubic", {}), ("edsr", {"parameters": 1_500_000}))
    ]
    lines = script.photo_tables(
        reports.report(*levels), made_up({"kornia_srgan": [1.0, 2.0, 3.0]})
    ).splitlines()
    assert lines[0] == "Set5, PSNR / SSIM:"
    assert lines[2] == "| model | scale | parameters | MP/s | clean | q75 |"
    assert lines[4] == "| bicubic | x4 |  |  | 31.00 / 0.6000 | 21.00 / 0.6000 |"
    assert lines[5] == "| edsr | x4 | 1.50 M | 2 [1.5, 2.5] | 31.00 / 0.6000 | 21.00 / 0.6000 |"
    assert lines[7] == "Set 14, PSNR / SSIM:"

"""The figures that README and docs/results.md print are those of the packaged weights."""

import re

import pytest

from kornia_srgan.weights.locate import zoo_names
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


@pytest.mark.parametrize("name", ["bicubic", *zoo_names()])
def test_the_figures_of_set5_are_what_evaluate_prints(shared_data, name):
    from kornia_srgan import evaluate, load_generator
    from kornia_srgan.evaluation.report import format_metrics

    models = {} if name == "bicubic" else {name: load_generator(name).module}
    report = evaluate(models, shared_data / "eval/Set5", metrics=("psnr", "ssim", "niqe"))
    row = next(row for row in report.rows if row.model == name)
    assert rows("README.md")[name].split("|")[3].strip() == format_metrics(row.mean)

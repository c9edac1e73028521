import re

from kornia_srgan.evaluation.latex import escape_latex, to_latex
from kornia_srgan.evaluation.statistics import compare_models
from tests.helpers.reports import report, row

BASE = [20, 24, 28, 22, 30, 26, 21, 25]


def body(text):
    """The lines of the table, comments left out, each as its cells."""
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    return [[cell.strip() for cell in line.removesuffix(r"\\").split("&")] for line in lines]


def test_the_best_is_bold_the_second_underlined_by_direction():
    rows = report(
        row("a_1", BASE, [5.0] * 8), row("b", [v + 1 for v in BASE], [6.0] * 8), row("c", [1] * 8, [7.0] * 8)
    )
    lines = body(to_latex(rows))
    assert lines[1] == ["Model", r"PSNR $\uparrow$", r"NIQE $\downarrow$"]
    assert lines[2] == [r"a\_1", r"\underline{24.50}", r"\textbf{5.00}"]
    assert lines[3] == ["b", r"\textbf{25.50}", r"\underline{6.00}"]
    assert lines[4] == ["c", "1.00", "7.00"]


def test_scales_are_blocks_and_what_was_not_scored_is_a_dash():
    rows = report(row("a", BASE), row("a", BASE, dataset="Other"), row("b", BASE, scale=2))
    text = to_latex(rows)
    assert text.count(r"\midrule") == 2
    lines = body(text)
    assert lines[2][:2] == ["a", r"$\times$4"]
    assert lines[3][:2] == ["b", r"$\times$2"]
    assert lines[3][4:] == ["--", "--"]


def test_every_line_has_the_columns_of_the_tabular():
    text = to_latex(report(row("a", BASE), row("b", BASE, scale=2), row("a", BASE, dataset="Two")))
    columns = len(re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1])
    for line in body(text)[1:]:
        assert len(line) == columns
    spans = [int(n) for n in re.findall(r"\\multicolumn\{(\d+)\}", text)]
    assert sum(spans) + 2 == columns
    rules = re.findall(r"cmidrule\(lr\)\{(\d+)-(\d+)\}", text)
    assert rules == [("3", "4"), ("5", "6")]


def test_marks_and_comments():
    rows = report(row("a", BASE), row("b", [v + 1 for v in BASE]), notes=("mind the gap",))
    text = to_latex(rows, compare_models(rows, "a"))
    assert r"\textbf{25.50}$^{+}$" in text
    comments = [line for line in text.splitlines() if line.startswith("% ")]
    assert "protocol ledig-y/v1" in comments[0]
    assert comments[1] == "% mind the gap"
    assert "+ better, - worse than a" in comments[2]


def test_what_latex_would_read_as_commands_is_escaped():
    assert escape_latex(r"a_b&50%#{x}~^\$") == (
        r"a\_b\&50\%\#\{x\}\textasciitilde{}\textasciicircum{}\textbackslash{}\$"
    )

"""Every figure stands in its column."""

from kornia_srgan.benchmarking.tables import HEADINGS, table_notes, table_rows, to_markdown
from tests.helpers.documents import made_up


def filled():
    """A document with one run that has every figure, one with none, and one that failed."""
    document = made_up({"kornia_srgan": [1.0, 2.0, 3.0], "eager": [1234.5], "openvino": "no | way"})
    (case,) = document.cases
    figures = {
        "flops": 2_500_000_000, "peak_memory_mib": 7.4, "matmul_fraction": 0.25, "effective_fraction": 0.5,
        "ratio": 1.5, "max_difference": 2e-6,
    }  # fmt: skip
    runs = (case.runs[0].model_copy(update=figures), *case.runs[1:])
    return document.model_copy(update={"cases": (case.model_copy(update={"runs": runs}),)})


def test_each_column_has_its_figure():
    first, second, third = (dict(zip(HEADINGS, row, strict=True)) for row in table_rows(filled()))
    assert first == {
        "case": "edsr x4, 1x8x8, float32", "engine": "kornia_srgan 1", "MP/s [quartiles]": "2 [1.5, 2.5]",
        "peak MiB": "7", "GFLOP": "2.5", "of matmul": "0.25", "effective": "0.50", "ours / it": "1.50x",
        "differs by": "2.0e-06",
    }  # fmt: skip
    assert [x for x in second.values() if x] == ["eager 1", "1234 [1234, 1234]"]
    assert [x for x in third.values() if x] == ["openvino 1", "failed: no | way"]


def test_markdown():
    lines = to_markdown(filled()).splitlines()
    assert {line.replace(r"\|", "").count("|") for line in lines[:5]} == {len(HEADINGS) + 1}
    assert lines[5] == ""
    assert lines[6:] == [f"- {note}" for note in table_notes(filled())]

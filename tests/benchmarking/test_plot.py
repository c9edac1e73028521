"""What the picture shows."""

from matplotlib.figure import Figure

from kornia_srgan.benchmarking.plot import plot_png
from tests.helpers.documents import made_up


def drawn(document, monkeypatch):
    """The PNG, and the axes it was drawn on."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: figures.append(self) or save(self, *a, **k))
    return plot_png(document), figures[0].axes[0]


def test_a_bar_for_each_run_and_the_name_of_each_that_failed(monkeypatch):
    speeds = {"kornia_srgan": [1.0, 2.0, 3.0], "eager": [5.0], "openvino": "no"}
    picture, axes = drawn(made_up(speeds), monkeypatch)
    assert picture.startswith(b"\x89PNG")
    assert [bar.get_width() for bar in axes.patches if bar.get_width()] == [2.0, 5.0]
    assert [text.get_text() for text in axes.texts] == [" openvino: failed"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(speeds)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["edsr x4, 1x8x8, float32"]


def test_a_label_is_no_formula(monkeypatch):
    document = made_up({"kornia_srgan": [1.0]})
    (case,) = document.cases
    named = document.model_copy(
        update={"cases": (case.model_copy(update={"subject": r"a$\frac$.safetensors"}),)}
    )
    assert plot_png(named).startswith(b"\x89PNG")

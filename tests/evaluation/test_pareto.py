import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from kornia_srgan.errors import UserError
from kornia_srgan.evaluation.pareto import COSTS, Point, _label, pareto_front, plot_pareto
from tests.helpers.documents import made_up
from tests.helpers.reports import report, row

BASE = [20, 24, 28]


def names(points, **options):
    return [p.name for p in pareto_front(points, **options)]


def test_the_front_keeps_what_no_other_beats():
    points = [
        Point("slow", 1, 30),
        Point("bad", 2, 25),
        Point("fast", 4, 28),
        Point("fastest", 9, 20),
        Point("no", 9, 19),
    ]
    assert names(points, cheap_is_low=False, higher_is_better=True) == ["fastest", "fast", "slow"]
    assert names(points, cheap_is_low=True, higher_is_better=True) == ["slow"]
    assert names(points, cheap_is_low=False, higher_is_better=False) == ["no"]
    assert names(points, cheap_is_low=True, higher_is_better=False) == ["slow", "bad", "no"]


def drawn(picture):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def test_speed_seen_while_scoring():
    rows = report(
        row("bicubic", [20] * 3),
        row("a", BASE, seconds=2.0, pixels=10**6),
        row("b", BASE, seconds=1.0, pixels=10**6),
        row("made elsewhere", BASE),
    )
    picture, unknown = plot_pareto(rows)
    assert unknown == ["made elsewhere"]
    colours = drawn(picture).reshape(-1, 3)
    assert ((colours - (0, 114, 178)) == 0).all(1).any()  # on the front
    assert ((colours - (153, 153, 153)) == 0).all(1).any()  # behind


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_parameters_need_no_benchmark(suffix):
    picture, unknown = plot_pareto(report(row("a", BASE, parameters=10**6)), cost="parameters", suffix=suffix)
    assert unknown == []
    assert picture.startswith({".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}[suffix])


@pytest.mark.parametrize("cost", COSTS)
def test_costs_of_a_benchmark_by_name_and_by_the_stem_of_a_path(cost):
    document = made_up({"kornia_srgan": [1.0, 2.0, 3.0], "eager": [9.0]})
    (case,) = document.cases
    case = case.model_copy(update={"flops": 10**9})
    document = document.model_copy(update={"cases": (case,)})
    rows = report(row("edsr", BASE))
    picture, unknown = plot_pareto(rows, document, cost=cost)
    assert unknown == []
    moved = case.model_copy(update={"subject": "/far/edsr.pth"})
    again, unknown = plot_pareto(rows, document.model_copy(update={"cases": (moved,)}), cost=cost)
    assert unknown == []
    assert (drawn(again) == drawn(picture)).all()
    with pytest.raises(UserError, match="is known of edsr"):
        plot_pareto(report(row("edsr", BASE, scale=2)), document, cost=cost)


def test_a_panel_for_each_set_and_names_that_are_not_there():
    rows = report(row("a", BASE, parameters=5), row("a", BASE, parameters=5, dataset="Other"))
    both = drawn(plot_pareto(rows, cost="parameters")[0])
    one = drawn(plot_pareto(rows, cost="parameters", sets=["Other"])[0])
    assert both.shape[1] > one.shape[1]
    with pytest.raises(UserError, match="no set 'Othr'; did you mean 'Other'"):
        plot_pareto(rows, cost="parameters", sets=["Othr"])
    with pytest.raises(UserError, match="no metric 'ssim'"):
        plot_pareto(rows, cost="parameters", metric="ssim")


def test_nothing_known_says_what_to_give():
    with pytest.raises(UserError, match=r"no speed is known of a; give --benchmark"):
        plot_pareto(report(row("a", BASE)))


def test_names_cover_neither_points_nor_each_other():
    figure = Figure(figsize=(4.4, 3.9))
    axes = figure.add_subplot()
    points = [
        Point(name, cost, quality)
        for name, cost, quality in [
            ("edsr-large-x4", 0.69, 27.21), ("photo-large-x4", 0.87, 27.23), ("srresnet-x4", 0.79, 27.17),
            ("edsr-x4", 2.63, 27.12), ("photo-x4", 2.43, 27.20), ("edge-x4", 3.89, 27.15), ("low", 2.6, 26),
        ]
    ]  # fmt: skip
    for point in points:
        axes.plot(point.cost, point.quality, "o")
    axes.set_xscale("log")
    axes.margins(x=0.18, y=0.12)
    figure.draw_without_rendering()
    _label(axes, points)
    names = [name.get_window_extent() for name in axes.texts]
    assert len(names) == len(points)
    inside = axes.get_window_extent()
    for index, name in enumerate(names):
        assert inside.y0 < name.y0 < name.y1 < inside.y1
        assert not any(name.overlaps(other) for other in names[:index])
        assert not any(
            name.contains(*axes.transData.transform((point.cost, point.quality))) for point in points
        )

"""Change between two documents."""

import pytest

from kornia_srgan.benchmarking.compare import change_rows, find_changes, why_not_comparable
from tests.helpers.documents import made_up


@pytest.mark.parametrize(
    ("before", "now", "ratio", "verdict"),
    [
        ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 2.5, "faster"),
        ([4.0, 5.0, 6.0], [1.0, 2.0, 3.0], 0.4, "slower"),
        ([1.0, 2.0, 3.0], [2.0, 2.5, 4.0], 1.25, "quartiles overlap"),
        ([2.0, 2.0, 2.0], [2.0, 2.0, 2.0], 1.0, "quartiles overlap"),
    ],
)
def test_ratio_and_overlap(before, now, ratio, verdict):
    (change,) = find_changes(made_up({"kornia_srgan": before}), made_up({"kornia_srgan": now}))
    assert change.ratio == ratio
    ((case, engine, *_, shown, said),) = change_rows([change])
    assert (engine, shown, said) == ("kornia_srgan", f"{ratio:.2f}x", verdict)
    assert case == "edsr x4, 1x8x8, float32"


def test_nothing_is_left_out():
    old = made_up({"kornia_srgan": [1.0], "eager": "no memory", "openvino": [2.0], "spandrel": "x"})
    new = made_up({"kornia_srgan": "broken", "eager": [1.0], "onnxruntime": [1.0], "spandrel": "y"})
    assert {c.engine: (c.ratio, c.note) for c in find_changes(old, new)} == {
        "kornia_srgan": (None, "failed: broken"),
        "eager": (None, "failed before"),
        "onnxruntime": (None, "not measured before"),
        "spandrel": (None, "failed as before: y"),
        "openvino": (None, "not measured now"),
    }


def test_another_input_is_another_case():
    old = made_up({"kornia_srgan": [1.0]})
    (case,) = old.cases
    new = old.model_copy(update={"cases": (case.model_copy(update={"height": 9}),)})
    assert [c.note for c in find_changes(old, new)] == ["not measured before", "not measured now"]


def test_another_network_of_that_name_is_no_change_of_speed():
    (change,) = find_changes(
        made_up({"kornia_srgan": [1.0]}), made_up({"kornia_srgan": [3.0]}, parameters=11)
    )
    assert next(iter(change_rows([change])))[-1] == "another network: 10 parameters before, 11 now"


def test_other_machines_are_not_compared():
    here = made_up({"kornia_srgan": [1.0]})
    assert why_not_comparable(here, made_up({"kornia_srgan": [2.0]}, torch="9.9", load=[7.0])) == ""
    there = made_up({"kornia_srgan": [1.0]}, cpu="Abacus", threads=64)
    for key in ("device", "gpu", "cores"):
        assert f"{key} 'else' there" in why_not_comparable(made_up({}, **{key: "else"}), here)
    assert "cpu 'Abacus' there" in why_not_comparable(there, here)
    assert "threads '64' there" in why_not_comparable(there, here)

import pytest
import torch

from kornia_srgan.registry.catalog import REGISTRIES
from tests.helpers.layouts import compact
from tests.helpers.runner import assert_user_error, invoke


def test_generator(capsys):
    shown = invoke(capsys, "describe", "generator", "srresnet").out
    assert "generator srresnet" in shown
    assert "1609.04802" in shown
    rows = [line.split() for line in shown.splitlines()]
    assert ["num_blocks", "int", "16"] in rows
    assert ["scale", "int", "4"] in rows


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, r in REGISTRIES.items() for n in r.names()])
def test_every_component_can_be_described(capsys, kind, name):
    shown = invoke(capsys, "describe", kind, name)
    assert shown.code == 0, shown.err
    assert shown.out.startswith(f"{kind} {name}\n")
    assert "source" in shown.out


def test_unknown_name_has_a_suggestion(capsys):
    result = invoke(capsys, "describe", "generator", "srresnt")
    assert_user_error(result, "unknown generator 'srresnt'", "did you mean 'srresnet'?")


def test_weights_of_this_package_are_described(capsys):
    shown = invoke(capsys, "describe", "edsr-x2").out.splitlines()
    assert shown[0].startswith("generator: edsr x2 (")
    assert any(line.startswith("licence:   ") for line in shown)
    assert "tiles:     overlap by" in "\n".join(shown)


@pytest.mark.parametrize(("weights", "single"), [("edge-x4", True), ("edsr-x4", False)])
def test_parameters_that_are_left_in_inference_are_told(capsys, weights, single):
    size = invoke(capsys, "describe", weights).out.splitlines()[-1]
    assert size.startswith("size:      ")
    assert size.endswith(" in inference" if single else " parameters")


def test_weights_of_other_projects_are_described(capsys, tmp_path):
    torch.save({"params_ema": compact(2).make()}, tmp_path / "w.pth")
    shown = invoke(capsys, "describe", tmp_path / "w.pth").out.splitlines()
    assert shown[0] == "layout:    Real-ESRGAN SRVGGNetCompact"
    assert "tiles:     overlap by 5 pixels" in shown
    assert "computes:  in float32, float16, bfloat16" in shown


def test_a_kind_alone_asks_for_a_name_and_no_weights_are_named(capsys):
    assert_user_error(invoke(capsys, "describe", "resizer"), "needs a name", "matlab_bicubic")
    assert_user_error(invoke(capsys, "describe", "nothing-x4"), "weights 'nothing-x4' not found")

import pytest

from kornia_srgan.registry.catalog import REGISTRIES
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

import json

import pytest

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.spec import FORMAT_VERSION, WeightSpec, _checksum


def spec(**changes):
    fields = {
        "name": "edsr",
        "args": {"channels": 48, "taps": [1, 2], "skip": True, "norm": None},
        "scale": 4,
        "kind": "generator",
        "value_range": (0.0, 1.0),
        "training": {"recipe": "tiny", "steps": 10, "figures": {"Set5": 31.2}, "name": "bärbel"},
        "license": "Apache-2.0",
        "tensor_hash": "ab" * 32,
        "plugin": "my_backbone.py",
    }
    return WeightSpec(**(fields | changes))


def sealed(**changes):
    """A header's text with some fields set or (None) left out and a checksum that fits."""
    raw = json.loads(spec().to_json())
    del raw["checksum"]
    raw = {k: v for k, v in (raw | changes).items() if v is not None}
    return json.dumps(raw | {"checksum": _checksum(raw)})


def test_round_trip():
    assert WeightSpec.from_json(spec().to_json(), "f") == spec()


def test_text_is_one_line_and_the_same_whatever_the_order_of_args():
    one = spec(args={"a": 1, "b": 2}).to_json()
    assert one == spec(args={"b": 2, "a": 1}).to_json()
    assert "\n" not in one


def test_optional_fields_have_defaults():
    minimal = sealed(kind=None, value_range=None, training=None, license=None, plugin=None)
    got = WeightSpec.from_json(minimal, "f")
    assert (got.kind, got.value_range, got.training, got.plugin) == ("generator", (0.0, 1.0), {}, "")


def test_a_field_of_a_later_minor_version_is_ignored():
    assert WeightSpec.from_json(sealed(colour="red"), "f") == spec()


def test_newer_format_says_upgrade():
    with pytest.raises(WeightsError, match=r"f: .*format version 99.*up to 1.*upgrade"):
        WeightSpec.from_json(sealed(format_version=FORMAT_VERSION + 98), "f")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "f: the header lacks 'name'"),
        ({"scale": None}, "lacks 'scale'"),
        ({"scale": "4"}, "'scale' should be of type int, got '4'"),
        ({"scale": True}, "'scale' should be of type int"),
        ({"scale": 0}, "'scale' should be at least 1, got 0"),
        ({"args": [1]}, r"'args' should be of type dict, got \[1\]"),
        ({"value_range": [1, 0]}, r"'value_range' should be two numbers"),
        ({"value_range": [0]}, r"'value_range' should be two numbers"),
    ],
)
def test_wrong_fields_are_named(changes, message):
    with pytest.raises(WeightsError, match=message):
        WeightSpec.from_json(sealed(**changes), "f")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"name": "edsr"}'])
def test_damage_is_named(text):
    with pytest.raises(WeightsError, match="f: the header is damaged"):
        WeightSpec.from_json(text, "f")


def test_a_changed_figure_is_noticed():
    with pytest.raises(WeightsError, match="checksum"):
        WeightSpec.from_json(spec().to_json().replace("31.2", "39.2"), "f")


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object()])
def test_args_must_be_json(value):
    with pytest.raises(WeightsError, match=r"'edsr'.*plain JSON only"):
        spec(args={"a": value}).to_json()

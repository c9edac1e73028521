import inspect
import pickle

import pytest

from kornia_srgan import errors
from kornia_srgan.explain import one_line

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.KorniaSRGANError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_message_stays_one_line_and_says_where(kind):
    error = kind("no 'a.png' here", where="a.png")
    again = pickle.loads(pickle.dumps(error))
    for found in (error, again):
        assert type(found) is kind
        assert str(found) == "no 'a.png' here"
        assert found.where == "a.png"
    assert kind("x").where is None


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_at_a_place_begins_with_it(kind):
    error = kind.at("a.png", ValueError("no picture"))
    assert (type(error), str(error), error.where) == (kind, "a.png: no picture", "a.png")


def test_an_error_without_a_place_gets_the_outer_one():
    for inner, expected in ((None, "outer"), ("inner", "inner")):
        with pytest.raises(errors.UserError, match="no x") as caught, errors.located("outer"):
            raise errors.UserError("no x", where=inner)
        assert caught.value.where == expected


@pytest.mark.parametrize(
    ("kind", "standard"),
    [
        ("UnknownComponentError", KeyError),
        ("ArgumentError", ValueError),
        ("ConfigError", ValueError),
        ("ImageError", ValueError),
        ("WeightsError", ValueError),
        ("DataNotFoundError", FileNotFoundError),
        ("WeightsNotFoundError", FileNotFoundError),
        ("MissingExtraError", ImportError),
        ("OfflineError", ConnectionError),
        ("OutOfMemoryError", MemoryError),
        ("NotFiniteError", ArithmeticError),
        ("TrainingError", RuntimeError),
    ],
)
def test_each_is_the_standard_error_that_fits(kind, standard):
    assert issubclass(getattr(errors, kind), standard)


def test_what_is_missing_is_a_file_not_found(tmp_path):
    from kornia_srgan.batch.sources import find_sources
    from kornia_srgan.inference.upscaler import Upscaler

    for call in (
        lambda: Upscaler.from_pretrained(tmp_path / "no.safetensors"),
        lambda: find_sources([str(tmp_path / "no.png")]),
    ):
        with pytest.raises(FileNotFoundError) as caught:
            call()
        assert str(tmp_path) in caught.value.where


def test_errors_of_files_say_which_file(tmp_path):
    from kornia_srgan.config.io import load_config
    from kornia_srgan.data.images import read_rgb
    from kornia_srgan.weights.files import load_weights

    for name, read in (("a.safetensors", load_weights), ("a.yaml", load_config), ("a.png", read_rgb)):
        path = tmp_path / name
        for content in (b"", b"a: [", b"\x00" * 100):
            path.write_bytes(content)
            with pytest.raises(errors.UserError) as caught:
                read(path)
            assert caught.value.where == str(path)
            assert str(path) in str(caught.value)


def test_a_problem_is_told_in_one_line() -> None:
    assert one_line(OSError("no\n  space\tleft")) == "no space left"
    assert one_line(ValueError("a b c"), 3) == "a b"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"

import inspect
import pickle

import pytest

from kornia_srgan import errors
from kornia_srgan.explain import first_line, one_line

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


def _wanted(**size):
    from kornia_srgan.inference.rescale import Wanted

    return Wanted(**size)


def _created(registry, name, /, path="", **arguments):
    from kornia_srgan.registry.catalog import get_registry

    return get_registry(registry).create(name, path=path, **arguments)


def _enlarged(image):
    from kornia_srgan.inference.upscaler import Upscaler

    return Upscaler(_created("generator", "ecbsr", scale=1), tile=8)(image)


@pytest.mark.parametrize(
    ("call", "where"),
    [
        (lambda: _created("generator", "edsr", upsampler="none"), "edsr.upsampler"),
        (
            lambda: _created("generator", "edsr", path="generator", upsampler="none"),
            "generator.args.upsampler",
        ),
        (lambda: _created("image_loss", "ssim", path="losses.0", window_size=4), "losses.0.args.window_size"),
        (lambda: _created("augmentation", "mixup", alpha=-1.0), "alpha"),
        (lambda: _wanted(width=0), "width"),
        (lambda: _wanted(scale=2, long_side=10), "scale, long_side"),
        (lambda: _enlarged([1]), "image"),
    ],
)
def test_errors_of_arguments_say_which_argument(call, where):
    with pytest.raises(errors.UserError) as caught:
        call()
    assert caught.value.where == where


def test_a_problem_is_told_in_one_line() -> None:
    assert one_line(OSError("no\n  space\tleft")) == "no space left"
    assert one_line(ValueError("a b c"), 3) == "a b"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_of_a_long_message_the_first_line_is_told() -> None:
    assert first_line(ValueError("\nno\n  space left")) == "no"
    assert first_line(ValueError()) == "ValueError"

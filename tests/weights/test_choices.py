import pytest

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.choices import choices_of
from kornia_srgan.weights.locate import DEFAULT_WEIGHTS, zoo_names
from tests.helpers.tiny_weights import save_tiny_weights


@pytest.fixture
def weights(tmp_path):
    return save_tiny_weights(tmp_path)


def test_packaged_weights_with_the_default_first():
    choices = choices_of([])
    assert sorted(choices) == zoo_names()
    assert next(iter(choices)) == DEFAULT_WEIGHTS
    assert choices[DEFAULT_WEIGHTS].scale == 4
    assert choices[DEFAULT_WEIGHTS].text.startswith("edsr, ×4")


def test_given_weights_come_first_and_once(weights):
    labels = list(choices_of([str(weights), DEFAULT_WEIGHTS]))
    assert labels[:2] == ["tiny.safetensors", DEFAULT_WEIGHTS]
    assert len(labels) == len(zoo_names()) + 1


def test_namesakes_are_told_apart(weights):
    labels = list(choices_of([str(weights)] * 3))[:3]
    assert labels == [
        "tiny.safetensors",
        f"{weights.parent.name}/tiny.safetensors",
        "tiny.safetensors (2)",
    ]


def test_a_checkpoint_of_another_project(shared_data):
    path = shared_data / "checkpoints" / "leftthomas_srgan_x4.pth"
    assert choices_of([str(path)])[path.name].scale == 4


def test_nothing_of_that_name():
    with pytest.raises(WeightsError, match="not found"):
        choices_of(["edsr-x5"])

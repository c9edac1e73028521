import pytest

from kornia_srgan.demo.choices import choices_of, find_choice, with_upload
from kornia_srgan.errors import UserError, WeightsError
from kornia_srgan.weights.files import save_weights
from kornia_srgan.weights.locate import DEFAULT_WEIGHTS, zoo_names
from kornia_srgan.weights.spec import WeightSpec
from tests.helpers.tiny_weights import save_band_weights


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


def test_an_upload_is_one_more(weights):
    before = choices_of([])
    label, after = with_upload(before, weights)
    assert label == "tiny.safetensors"
    assert list(after) == [*before, label]
    assert find_choice(after, label).source == weights
    with pytest.raises(UserError, match=r"no weights called 'tiny.safetensors'"):
        find_choice(before, label)


def test_uploads_that_are_no_weights(tmp_path, weights):
    spec = WeightSpec(name="vgg", args={}, scale=4, kind="discriminator")
    save_weights(tmp_path / "judge.safetensors", {}, spec)
    (tmp_path / "pickle.safetensors").write_bytes(b"PK\x03\x04" + bytes(100))
    (tmp_path / "half.safetensors").write_bytes(weights.read_bytes()[:-10])
    for name, reason in (("judge", "expected a generator"), ("pickle", "pickle"), ("half", "truncated")):
        with pytest.raises(WeightsError, match=reason) as caught:
            with_upload({}, tmp_path / f"{name}.safetensors")
        assert str(tmp_path) not in str(caught.value)


def test_the_page_refuses_weights_for_other_data(tmp_path):
    path = save_band_weights(tmp_path / "four.safetensors")
    assert choices_of([str(path)])["four.safetensors"].scale == 4  # the server takes them
    told = "images of 4 channels of 0 to 10000, and the page shows photographs"
    with pytest.raises(WeightsError, match=told):
        choices_of([str(path)], photographs=True)
    with pytest.raises(WeightsError, match=told):
        with_upload(choices_of([]), path)

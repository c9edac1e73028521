import pytest

from kornia_srgan.demo.choices import check_photographs, find_choice, with_upload
from kornia_srgan.errors import UserError, WeightsError
from kornia_srgan.weights.choices import choices_of
from kornia_srgan.weights.files import save_weights
from kornia_srgan.weights.spec import WeightSpec
from tests.helpers.tiny_weights import save_band_weights


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
        choices_of([str(path)], check=check_photographs)
    with pytest.raises(WeightsError, match=told):
        with_upload(choices_of([]), path)

import pytest
import torch
from torch import nn

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.files import load_weights, save_weights
from kornia_srgan.weights.release import write_release
from kornia_srgan.weights.spec import WeightSpec

FIGURES = {"Set5 (ledig-y)": {"psnr": 31.4, "ssim": 0.881}}


@pytest.fixture
def trained(tmp_path):
    path = tmp_path / "final.safetensors"
    spec = WeightSpec("edsr", {"channels": 8}, 4, training={"recipe": "light", "steps": 10}, license="MIT")
    save_weights(path, nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)).state_dict(), spec)
    return path


def test_release_adds_figures_and_a_card(trained, tmp_path):
    target = tmp_path / "zoo" / "edsr-x4.safetensors"
    written = write_release(
        trained,
        target,
        figures=FIGURES,
        license="Apache-2.0",
        facts={"minutes": 28},
        called="edsr-x4",
        dtype=torch.float16,
    )
    spec, state = load_weights(target)
    assert spec == written
    assert spec.training == {"recipe": "light", "steps": 10, "minutes": 28, "figures": FIGURES}
    assert spec.license == "Apache-2.0"
    assert state["0.weight"].dtype == torch.float16
    card = target.with_suffix(".md").read_text("utf-8")
    assert "| Set5 (ledig-y) | psnr 31.4, ssim 0.881 |" in card
    assert 'from_pretrained("edsr-x4")' in card
    assert "12 parameters" in card  # 3*2 + 2 of the convolution, 2 + 2 of the norm
    assert spec.tensor_hash in card


def test_what_is_not_given_stays(trained, tmp_path):
    write_release(trained, tmp_path / "b.safetensors", figures={})
    spec, state = load_weights(tmp_path / "b.safetensors")
    before, tensors = load_weights(trained)
    assert (spec.license, spec.tensor_hash) == (before.license, before.tensor_hash)
    assert all(torch.equal(state[key], tensors[key]) for key in tensors)


def test_damage_is_not_released(trained, tmp_path):
    trained.write_bytes(trained.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="truncated"):
        write_release(trained, tmp_path / "b.safetensors", figures={})
    assert not (tmp_path / "b.safetensors").exists()

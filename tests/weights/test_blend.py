import pytest
import torch
from torch import nn

from kornia_srgan.errors import ArgumentError, WeightsError
from kornia_srgan.weights.blend import blend_weights
from kornia_srgan.weights.files import load_weights, save_weights
from kornia_srgan.weights.spec import WeightSpec


def spec_of(seed, *, scale=4, license="MIT"):
    return WeightSpec("edsr", {"channels": 8}, scale=scale, training={"seed": seed}, license=license)


@pytest.fixture
def two(tmp_path):
    paths = []
    for seed, license in ((1, "MIT"), (2, "Apache-2.0")):
        torch.manual_seed(seed)
        state = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)).state_dict()
        state["1.num_batches_tracked"].fill_(seed)
        paths.append(tmp_path / f"{seed}.safetensors")
        save_weights(paths[-1], state, spec_of(seed, license=license))
    return paths


@pytest.mark.parametrize("amount", [0.0, 0.25, 1.0])
def test_tensors_lie_between(two, tmp_path, amount):
    out = tmp_path / "out.safetensors"
    written = blend_weights(*two, out, amount=amount)
    (_, a), (_, b), (spec, mixed) = (load_weights(path) for path in (*two, out))
    for key in ("0.weight", "0.bias", "1.running_var"):
        torch.testing.assert_close(mixed[key], (1 - amount) * a[key] + amount * b[key])
    assert mixed["1.num_batches_tracked"] == 1
    assert spec == written
    assert spec.license == "MIT AND Apache-2.0"
    assert spec.training["blended"] == {"first": str(two[0]), "second": str(two[1]), "amount": amount}
    assert spec.training["of_second"] == {"seed": 2}


def test_what_cannot_be_blended_is_refused(two, tmp_path):
    out = tmp_path / "out.safetensors"
    with pytest.raises(ArgumentError, match=r"amount must be between 0 and 1; got 1\.5"):
        blend_weights(*two, out, amount=1.5)
    other = tmp_path / "x2.safetensors"
    save_weights(other, load_weights(two[0])[1], spec_of(1, scale=2))
    with pytest.raises(WeightsError, match=r"edsr x4, channels=8.* and .*edsr x2.* different architectures"):
        blend_weights(two[0], other, out)
    save_weights(other, {"0.weight": torch.zeros(1)}, spec_of(1))
    with pytest.raises(WeightsError, match="hold different tensors"):
        blend_weights(two[0], other, out)
    assert not out.exists()

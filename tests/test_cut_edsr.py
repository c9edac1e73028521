"""The weights that `docs/cut_edsr.py` writes are those of some of the blocks."""

import sys

import pytest
import torch

from kornia_srgan import load_generator
from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.weights.files import save_weights
from kornia_srgan.weights.spec import WeightSpec
from tests.helpers.scripts import load_script
from tests.helpers.snippets import ROOT
from tests.helpers.tolerances import assert_near
from tests.helpers.trained import trained


@pytest.fixture(scope="module")
def script():
    return load_script(ROOT / "docs/cut_edsr.py")


def test_without_blocks_that_add_nothing_the_image_stays(script, tmp_path, monkeypatch):
    torch.manual_seed(1)
    whole = trained(EDSR(channels=8, num_blocks=7)).eval()
    for number in (1, 2, 4, 5):  # kept are 0, 3 and 6
        torch.nn.init.zeros_(whole.body[number].conv2.weight)
        torch.nn.init.zeros_(whole.body[number].conv2.bias)
    file, output = tmp_path / "whole.safetensors", tmp_path / "cut.safetensors"
    spec = WeightSpec(name="edsr", scale=4, args={"channels": 8, "num_blocks": 7})
    save_weights(file, whole.state_dict(), spec)
    monkeypatch.setattr(sys, "argv", ["cut_edsr.py", str(file), str(output), "--blocks", "3"])
    script.main()
    loaded = load_generator(output)
    assert loaded.spec.args["num_blocks"] == 3
    lr = torch.rand(2, 3, 9, 11)
    with torch.no_grad():
        assert_near(loaded.module(lr), whole(lr), "network")


@pytest.mark.parametrize("blocks", [1, 4])
def test_a_number_that_cannot_be_is_told(script, blocks):
    with pytest.raises(SystemExit, match=f"2 to 3; got {blocks}"):
        script.cut(EDSR(channels=4, num_blocks=3), blocks)

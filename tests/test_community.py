"""What a user is told about weights of the community's architectures where spandrel is not installed."""

import pytest
import torch

from kornia_srgan.community import build_community
from kornia_srgan.errors import MissingExtraError
from tests.helpers.extras import pretend_missing
from tests.helpers.runner import invoke

INSTALL = "pip install 'kornia-srgan[community]'"


@pytest.fixture
def missing(monkeypatch):
    """As if spandrel were not installed; other packages are found as they are."""
    pretend_missing(monkeypatch, "spandrel")


@pytest.mark.usefixtures("missing")
@pytest.mark.parametrize("command", ["convert", "describe", "upscale"])
def test_the_message_says_what_to_install(command, tmp_path, capsys):
    weights = tmp_path / "unknown.pth"
    torch.save({"layers.0.attn.weight": torch.zeros(3, 3)}, weights)
    (tmp_path / "photo.png").write_bytes(b"")
    arguments = {
        "convert": (weights, "-o", tmp_path / "o.safetensors"),
        "describe": (weights,),
        "upscale": (tmp_path / "photo.png", "-o", tmp_path / "out", "--weights", weights),
    }
    result = invoke(capsys, command, *arguments[command])
    assert result.code == 2
    assert INSTALL in result.err
    assert "Traceback" not in result.err


@pytest.mark.usefixtures("missing")
def test_a_recipe_is_told_too():
    with pytest.raises(MissingExtraError, match="needs spandrel"):
        build_community("HAT", "", {}, 2)

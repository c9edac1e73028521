"""What ships in the wheel: every packaged weight file and its card."""

import pytest
import torch

from kornia_srgan.assembly import load_generator
from kornia_srgan.weights.files import load_weights
from kornia_srgan.weights.locate import DEFAULT_WEIGHTS, locate_weights, zoo_names


def test_the_default_is_packaged():
    assert DEFAULT_WEIGHTS in zoo_names()


@pytest.mark.parametrize("name", zoo_names())
class TestEveryPackagedFile:
    def test_says_what_it_is(self, name):
        spec, _ = load_weights(locate_weights(name))
        assert spec.license
        assert spec.training
        assert spec.plugin == ""
        assert name.endswith(f"-x{spec.scale}")

    def test_loads_and_enlarges_a_flat_image_to_about_itself(self, name):
        loaded = load_generator(name)
        with torch.inference_mode():
            sr = loaded.module(torch.full((1, 3, 24, 24), 0.5))
        inner = sr[..., 32:64, 32:64]
        assert (inner - 0.5).abs().max() < 0.05

    def test_has_a_card_of_this_very_file(self, name):
        path = locate_weights(name)
        card = path.with_suffix(".md").read_text("utf-8")
        spec, _ = load_weights(path)
        assert spec.tensor_hash in card
        assert spec.license in card

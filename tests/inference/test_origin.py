"""Upscalers are pickled by what they were made of."""

import os
import pickle

import numpy as np
import pytest
from torch import nn

from kornia_srgan.errors import WeightsError
from kornia_srgan.inference.recipe import Recipe
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.weights.files import save_weights
from kornia_srgan.weights.spec import WeightSpec
from tests.helpers.tiny_weights import save_tiny_weights


class Thin(nn.Module):
    """A generator that no other process knows."""

    def __init__(self, *, scale: int = 2) -> None:
        super().__init__()
        self.scale, self.halo = scale, 1
        self.body = nn.Sequential(nn.Conv2d(3, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, lr):
        return self.body(lr)


PIXELS = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)


@pytest.fixture
def builds(monkeypatch):
    """Every time that weights are read."""
    seen = []
    build = Recipe.build
    monkeypatch.setattr(Recipe, "build", lambda self: seen.append(self) or build(self))
    return seen


@pytest.mark.parametrize("options", [{}, {"color_fix": True, "tile": 8}, {"dtype": "bfloat16"}])
def test_a_path_and_options_are_pickled_and_read_once(tmp_path, monkeypatch, builds, options):
    save_tiny_weights(tmp_path, "many")
    monkeypatch.chdir(tmp_path)
    upscaler = Upscaler.from_pretrained("many.safetensors", device="cpu", **options)
    data = pickle.dumps(upscaler)
    assert len(data) < 1500
    monkeypatch.chdir("/")
    assert len(builds) == 1
    again = [pickle.loads(data) for _ in range(3)]
    assert len(builds) == 2
    assert again[0] is again[2]
    assert (again[0].tile, again[0].dtype) == (upscaler.tile, upscaler.dtype)
    np.testing.assert_array_equal(again[0](PIXELS), upscaler(PIXELS))


def test_two_weights_between_which_it_lies(tmp_path):
    a, b = save_tiny_weights(tmp_path, "a"), save_tiny_weights(tmp_path, "b")
    upscaler = Upscaler.from_pretrained(interpolate=(a, str(b), 0.25), device="cpu")
    data = pickle.dumps(upscaler)
    assert len(data) < 1500
    np.testing.assert_array_equal(pickle.loads(data)(PIXELS), upscaler(PIXELS))


def test_a_dial_that_was_set_for_a_picture():
    auto = Upscaler.from_pretrained("photo-x4", device="cpu")
    tuned = auto.tuned(PIXELS)
    data = pickle.dumps(tuned)
    assert len(data) < 1500
    again = pickle.loads(data)
    assert again.restore == tuned.restore is not None
    np.testing.assert_array_equal(again(PIXELS), tuned(PIXELS))


def test_a_file_that_changed_after_it_was_read_is_pickled_as_it_was(tmp_path):
    path = save_tiny_weights(tmp_path)
    upscaler = Upscaler.from_pretrained(path, device="cpu")
    path.unlink()
    data = pickle.dumps(upscaler)
    assert len(data) > 4000
    np.testing.assert_array_equal(pickle.loads(data)(PIXELS), upscaler(PIXELS))


def test_another_file_elsewhere_is_refused(tmp_path):
    path = save_tiny_weights(tmp_path)
    data = pickle.dumps(Upscaler.from_pretrained(path, device="cpu"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="other content"):
        pickle.loads(data)
    os.rename(path, tmp_path / "elsewhere.safetensors")
    with pytest.raises(WeightsError, match="not on this machine"):
        pickle.loads(data)


def test_a_network_of_a_script_is_pickled_whole(tmp_path):
    """Another process could not build it by its name."""
    with GENERATORS.temporary():
        GENERATORS.register("of_a_script")(Thin)
        tensors = Thin(scale=2).state_dict()
        save_weights(tmp_path / "n.safetensors", tensors, WeightSpec(name="of_a_script", args={}, scale=2))
        upscaler = Upscaler.from_pretrained(tmp_path / "n.safetensors", device="cpu")
        data = pickle.dumps(upscaler)
    assert pickle.loads(data).scale == 2

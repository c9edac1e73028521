import pickle

import numpy as np
import pytest
import torch
from torch import nn

from kornia_srgan.errors import ArgumentError, WeightsError
from kornia_srgan.inference import networks, restore, upscaler
from kornia_srgan.inference.dial import AutoDial, Dial
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.optimize.optimize import optimize_for_inference
from kornia_srgan.weights.families import FAMILIES, family_of


class Shade(nn.Module):
    """Repeats every pixel, times its one weight."""

    scale, halo = 2, 0

    def __init__(self, value: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(value))

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return lr.repeat_interleave(2, -1).repeat_interleave(2, -2) * self.factor


@pytest.fixture
def dial():
    clean, photo, gan = (Shade(v).state_dict() for v in (0.2, 0.6, 0.7))
    return Dial(Shade(0.0), clean, photo, gan, "shades")


@pytest.mark.parametrize(
    ("amount", "sharp", "wanted"), [(0, 0, 0.2), (1, 0, 0.6), (0.25, 0, 0.3), (1, 1, 0.7), (0.5, 0.5, 0.45)]
)
def test_settings_lie_on_a_straight_line(dial, amount, sharp, wanted):
    assert dial.at(amount, sharp).factor.item() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("setting", "name"), [((-0.1, 0), "restore"), ((2, 0), "restore"), ((0, 1.1), "sharp")]
)
def test_a_setting_out_of_range_is_named(dial, setting, name):
    with pytest.raises(ArgumentError, match=rf"{name} is .* must be in \[0, 1\]"):
        dial.at(*setting)


def test_without_a_gan_sharp_is_refused(dial):
    plain = Dial(Shade(0.0), dial.clean, dial.photo, None, "shades")
    with pytest.raises(ArgumentError, match="shades has no GAN weights"):
        plain.at(0.5, 0.5)


def test_members_of_other_shapes_are_refused(dial):
    with pytest.raises(WeightsError, match="not of one architecture"):
        Dial(Shade(0.0), dial.clean, nn.Linear(2, 2).state_dict())


@pytest.fixture
def noisy_is_one(monkeypatch):
    """An estimator that anyone can follow: what is not flat wants all."""
    amounts = []

    def amount(pixels, quality=None):
        amounts.append(1.0 if pixels.std() > 0 else 0.0)
        return amounts[-1]

    monkeypatch.setattr(upscaler, "restore_amount", amount)
    return amounts


@pytest.fixture
def auto(dial, noisy_is_one):
    made = AutoDial(dial)
    return Upscaler(made.network(0.0), dial=made, device="cpu", tile=0)


def test_each_picture_gets_the_network_that_it_wants(auto):
    flat = np.full((4, 4, 3), 0.5, np.float32)
    mixed = flat.copy()
    mixed[0] = 0.1
    assert auto(flat)[-1, -1, 0] == pytest.approx(0.1)
    assert auto(mixed)[-1, -1, 0] == pytest.approx(0.3)
    batch = torch.from_numpy(np.stack([flat, mixed])).movedim(-1, 1)
    assert torch.allclose(auto(batch)[:, 0, -1, -1], torch.tensor([0.1, 0.3]))


def test_a_tuned_upscaler_keeps_its_setting(auto):
    flat = np.full((4, 4, 3), 0.5, np.float32)
    tuned = auto.tuned(flat)
    assert (auto.restore, tuned.restore) == (None, 0.0)
    assert tuned.tuned(np.eye(3)[..., None]) is tuned
    assert auto.tuned(flat) is tuned  # made once


def test_the_network_of_a_picture_computes_in_the_dtype_asked_for(dial, noisy_is_one, monkeypatch):
    built = []

    def optimize(source, *, dtype, **options):
        built.append((source.factor.item(), dtype))
        return optimize_for_inference(source, dtype=torch.float32, **options)

    monkeypatch.setattr(networks, "optimize_for_inference", optimize)
    monkeypatch.setattr(networks, "mixes_precision", lambda device: True)
    made = AutoDial(dial)
    Upscaler(made.network(1.0), dial=made, device="cpu", tile=0, dtype="auto").tuned(np.zeros((4, 4, 3)))
    assert built == [(pytest.approx(0.2), "auto")]  # and no other network is prepared


def test_it_can_be_pickled(auto):
    again = pickle.loads(pickle.dumps(auto))
    flat = np.full((4, 4, 3), 0.5, np.float32)
    assert np.array_equal(again(flat), auto(flat))


def test_families_are_asked_for_by_their_photo_weights():
    assert all(family_of(family.photo) is family for family in FAMILIES)
    assert family_of(FAMILIES[0].clean) is None


@pytest.mark.parametrize(
    ("option", "having"),
    [({"restore": 0.5}, "photo-x4, photo-x2, photo-large-x4"), ({"sharp": 0.5}, "photo-x4")],
)
def test_weights_without_a_dial_say_so(option, having):
    with pytest.raises(
        ArgumentError, match=f"{next(iter(option))} is not supported by 'edsr-x4'; use {having}$"
    ):
        Upscaler.from_pretrained("edsr-x4", **option)


@pytest.mark.parametrize("text", ["auto", " AUTO ", "", "0", "0.35", "1"])
def test_the_dial_as_it_is_typed(text):
    assert restore.parse_restore(text) == ("auto" if text.strip().lower() in ("", "auto") else float(text))


@pytest.mark.parametrize("text", ["clean", "1.1", "-0.1", "nan"])
def test_what_is_no_setting_is_named(text):
    with pytest.raises(ArgumentError, match=f"restore is '{text}'; it must be auto or a number from 0 to 1"):
        restore.parse_restore(text)


def test_patches_cover_a_large_picture_evenly():
    large = np.zeros((3000, 2000, 3), np.uint8)
    patches = restore._patches(large)
    assert 9 <= len(patches) <= 16
    assert {p.shape for p in patches} == {(256, 256, 3)}
    assert [p.shape for p in restore._patches(large[:10])] == [(10, 2000, 3)]

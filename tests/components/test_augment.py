"""Augmentations: pure functions of images and seeds, right in range, without a trace in the global state."""

import pytest
import torch

from kornia_srgan.components.transforms.augment import ColorJiggle, Dihedral, KorniaAugmentation
from kornia_srgan.errors import ArgumentError
from kornia_srgan.registry.catalog import AUGMENTATIONS
from kornia_srgan.rng import draw_bits, draw_uniform
from tests.helpers.augmentations import ARGS
from tests.helpers.tolerances import assert_near

SEEDS = tuple(range(100, 108))


@pytest.fixture
def images():
    return torch.rand(8, 3, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=AUGMENTATIONS.names())
def augment(request):
    return AUGMENTATIONS.create(request.param, **ARGS.get(request.param, {}))


def test_keeps_the_contract(augment, images):
    before = images.clone()
    out = augment(images, SEEDS)
    assert out.shape == images.shape
    assert out.dtype == images.dtype
    assert out.min() >= 0
    assert out.max() <= 1
    assert not torch.equal(out, images)
    assert torch.equal(images, before)


def test_is_a_function_of_images_and_seeds(augment, images):
    out = augment(images, SEEDS)
    torch.rand(3)
    assert torch.equal(augment(images, SEEDS), out)
    assert not torch.equal(augment(images, tuple(s + 50 for s in SEEDS)), out)


def test_an_image_does_not_depend_on_its_batch(augment, images):
    out = augment(images, SEEDS)
    assert_near(augment(images[3:5], SEEDS[3:5]), out[3:5], "elementwise")
    assert_near(augment(images.flip(0), SEEDS[::-1]).flip(0), out, "elementwise")


def test_leaves_the_global_generator_alone(augment, images):
    state = torch.get_rng_state()
    augment(images, SEEDS)
    assert torch.equal(torch.get_rng_state(), state)


def test_wants_one_seed_per_image(augment, images):
    with pytest.raises(ArgumentError, match="one seed per image; got 2 for 8"):
        augment(images, (1, 2))


def test_computes_in_float32_under_autocast(augment, images):
    out = augment(images, SEEDS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(augment(images, SEEDS), out)


def symmetries(image):
    turned = [torch.rot90(image, k, (-2, -1)) for k in range(4)]
    return turned + [t.flip(-1) for t in turned]


def test_dihedral_reaches_all_eight_symmetries_equally():
    image = torch.arange(48.0).reshape(1, 3, 4, 4) / 48
    seeds = tuple(range(800))
    counts = torch.zeros(8)
    for out in Dihedral()(image.expand(800, -1, -1, -1), seeds):
        equal = [torch.equal(out, s) for s in symmetries(image[0])]
        assert sum(equal) == 1
        counts[equal.index(True)] += 1
    assert counts.min() > 60
    assert counts.max() < 140


def test_dihedral_refuses_what_is_not_square():
    with pytest.raises(ArgumentError, match="needs square crops; got 8x6"):
        Dihedral()(torch.rand(1, 3, 8, 6), (1,))


def test_color_jiggle_changes_the_asked_share_of_images():
    images = torch.rand(400, 3, 2, 2)
    out = ColorJiggle(p=0.25)(images, tuple(range(400)))
    changed = (out != images).flatten(1).any(1).sum().item()
    assert 60 < changed < 140


def test_color_jiggle_brightness_is_bounded_and_uniform():
    images = torch.full((500, 3, 1, 1), 0.5)
    jiggle = ColorJiggle(brightness=0.2, contrast=0, saturation=0, hue=0, p=1)
    moved = jiggle(images, tuple(range(500)))[:, 0, 0, 0] - 0.5
    assert moved.abs().max() <= 0.2 + 1e-6
    assert moved.std().item() == pytest.approx(0.2 / 3**0.5, rel=0.1)
    assert abs(moved.mean().item()) < 0.02


def test_color_jiggle_refuses_amounts_out_of_range():
    with pytest.raises(ArgumentError, match=r"hue must lie in \[0, 0.5\]; got 0.7"):
        ColorJiggle(hue=0.7)


def test_kornia_augmentation_names_what_is_wrong():
    with pytest.raises(ArgumentError, match=r"no 'RandomGausianNoise'.*did you mean 'RandomGaussianNoise'"):
        KorniaAugmentation(augmentation="RandomGausianNoise")
    with pytest.raises(ArgumentError, match=r"RandomGaussianNoise: .*sigma"):
        KorniaAugmentation(augmentation="RandomGaussianNoise", args={"sigma": 1})
    with pytest.raises(ArgumentError, match="changes the size"):
        KorniaAugmentation(augmentation="RandomCrop", args={"size": [4, 4]})(torch.rand(1, 3, 8, 8), (1,))


def test_draws_differ_between_seeds_streams_and_positions():
    bits = draw_bits(range(100), stream="a", count=4)
    other = draw_bits(range(100), stream="b", count=4)
    assert len({*bits.flat, *other.flat}) == 800
    assert (draw_bits([5], stream="a", count=4) == bits[5]).all()
    uniform = draw_uniform(range(1000), stream="a", count=4)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert uniform.mean() == pytest.approx(0.5, abs=0.02)
    assert abs(torch.corrcoef(torch.from_numpy(uniform.T)).fill_diagonal_(0)).max() < 0.12

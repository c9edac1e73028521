"""The order of samples: a pure function, every image in proportion, every position alike."""

import dataclasses

import numpy as np
import pytest

from kornia_srgan.data.sampling import CropPlan, share_of
from kornia_srgan.errors import DataError

SIZES = [(40, 40), (16, 16), (33, 64), (5, 5)]  # 16 crops: 4, 1, 8, 1 whole ones


def fields(samples):
    return [getattr(samples, field.name) for field in dataclasses.fields(samples)]


def test_any_slice_is_the_same_as_the_whole():
    whole = CropPlan(SIZES, crop=16, seed=3, crops_per_image=3).samples(0, 200)
    other = CropPlan(SIZES, crop=16, seed=3, crops_per_image=3)
    for start, stop in ((150, 200), (0, 7), (41, 44)):
        for a, b in zip(fields(other.samples(start, stop)), fields(whole), strict=True):
            np.testing.assert_array_equal(a, b[start:stop])


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
def test_ranks_together_are_the_whole_batch(world_size):
    plan = CropPlan(SIZES, crop=16, seed=3)
    whole = plan.samples(7 * 11, 8 * 11)
    parts = [plan.samples(*share_of(7, 11, rank, world_size)) for rank in range(world_size)]
    for n, field in enumerate(fields(whole)):
        np.testing.assert_array_equal(np.concatenate([fields(p)[n] for p in parts]), field)


def test_an_epoch_holds_each_image_as_often_as_crops_fit_into_it():
    plan = CropPlan(SIZES, crop=16, seed=1, weighting="area")
    assert plan.epoch_samples == 14
    for epoch in range(3):
        images = plan.samples(epoch * 14, (epoch + 1) * 14).images
        assert np.bincount(images).tolist() == [4, 1, 8, 1]


def test_uniform_weighting_holds_each_image_once():
    plan = CropPlan(SIZES, crop=16, seed=1, weighting="uniform", crops_per_image=2)
    images = plan.samples(0, 8).images
    assert sorted(images[::2]) == [0, 1, 2, 3]
    np.testing.assert_array_equal(images[::2], images[1::2])


def test_epochs_and_seeds_differ():
    sizes = [(16, 16)] * 50
    plan = CropPlan(sizes, crop=16, seed=1)
    first, second = plan.samples(0, 50), plan.samples(50, 100)
    assert sorted(first.images) == sorted(second.images) == list(range(50))
    assert (first.images != second.images).any()
    other = CropPlan(sizes, crop=16, seed=2).samples(0, 50)
    assert (first.images != other.images).any()
    assert not set(first.seeds.tolist()) & set(other.seeds.tolist())


def test_positions_cover_the_image_evenly_and_seeds_are_distinct():
    samples = CropPlan([(20, 18)], crop=16, seed=0).samples(0, 3000)
    corners = np.array([samples.corner(i, 20, 18, 16) for i in range(3000)])
    counts = np.zeros((5, 3))
    np.add.at(counts, (corners[:, 0], corners[:, 1]), 1)
    assert counts.sum() == 3000
    assert counts.min() > 140
    assert counts.max() < 260
    assert len(set(samples.seeds.tolist())) == 3000
    assert samples.seeds.max() < 2**63


def test_samples_of_a_bad_image_go_to_all_the_others():
    samples = CropPlan([(16, 16)] * 6, crop=16, weighting="uniform").samples(0, 600)
    bad = np.array([False, True, False, False, True, False])
    chosen = np.array([samples.good_image(i, bad) for i in range(600)])
    own = ~bad[samples.images]
    np.testing.assert_array_equal(chosen[own], samples.images[own])
    assert np.bincount(chosen[~own], minlength=6)[~bad].min() > 15
    assert not bad[chosen].any()
    with pytest.raises(DataError, match="none of the 6 images can be decoded"):
        samples.good_image(0, np.ones(6, bool))

"""The published generator, and the numbers that every run so far was made with."""

import numpy as np

from kornia_srgan.data.sampling import step_seed
from kornia_srgan.rng import draw_bits, draw_numbers, draw_uniform, splitmix64


def test_splitmix64_gives_the_published_values():
    # The first outputs for seed 1234567, as in the reference implementation (the state advances by the
    # golden gamma, which `splitmix64` adds itself).
    gamma = np.uint64(0x9E3779B97F4A7C15)
    state = np.uint64(1234567) + np.arange(5, dtype=np.uint64) * gamma
    assert splitmix64(state).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_numbers_are_those_of_earlier_versions():
    """Else a run could not be resumed, and its crops would be others."""
    numbered = [5106899037839639144, 1694699263598148298, 3104181158468802802]
    assert draw_numbers(7, 3, np.arange(3)).tolist() == numbered
    assert draw_numbers(-1, 1, np.array([2**40])).tolist() == [14486289145531065871]
    assert step_seed(3, 5, 2) == 6925838338707920602
    assert draw_bits((1, 2**63 + 5, -4), stream="blur", count=2).tolist() == [
        [13175819883197753159, 14625548479450776615],
        [2012472862482339648, 6538956654583325077],
        [7356981642926060373, 16496861559553020990],
    ]
    uniform = [[0.10441648168122919, 0.9812961987169944, 0.3581970100570139]]
    assert draw_uniform((9,), stream="x", count=3).tolist() == uniform


def test_streams_and_seeds_are_apart():
    seeds = range(1000)
    one, other = draw_uniform(seeds, stream="a")[:, 0], draw_uniform(seeds, stream="b")[:, 0]
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.1
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.1
    assert abs(one.mean() - 0.5) < 0.04

"""The order of streamed images: a function of the seed, each image once in an epoch, resumed anywhere."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict

import pytest

from kornia_srgan.data.lanes import Bookmark, Due, Lane, lanes_of
from kornia_srgan.data.members import Encoded
from kornia_srgan.errors import DataError, ImageError

COUNTS = (5, 1, 0, 4, 7, 3, 2)
TOTAL = sum(COUNTS)
URLS = [str(n) for n in range(len(COUNTS))]


def read(url: str) -> Iterator[Encoded]:
    for index in range(COUNTS[int(url)]):
        yield Encoded(f"{url}/{index}", b"")


def lane(number: int = 0, lanes: int = 1, window: int = 6, seed: int = 1) -> Lane:
    return Lane(URLS, number, lanes, seed, window, read)


def names(
    lane: Lane,
    count: int,
) -> list[str]:
    return [drawn.image.name for drawn in itertools.islice(lane.images(Bookmark()), count)]


@pytest.mark.parametrize("window", [0, 1, 6, 100])
def test_an_epoch_holds_every_image_once(window: int) -> None:
    seen = names(lane(window=window), 3 * TOTAL)
    epochs = [seen[i : i + TOTAL] for i in range(0, 3 * TOTAL, TOTAL)]
    assert all(len(set(epoch)) == TOTAL for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3  # each in another order
    assert seen != names(lane(window=window, seed=2), 3 * TOTAL)


def test_lanes_share_the_epoch_out() -> None:
    parts = [[d.image.name for d in take_epoch(lane(number, 3))] for number in range(3)]
    assert sorted(itertools.chain(*parts)) == sorted(names(lane(), TOTAL))


def take_epoch(lane: Lane) -> Iterator:
    return itertools.takewhile(lambda drawn: drawn.after.last.epoch == 0, lane.images(Bookmark()))


def test_images_move_by_no_more_than_the_window() -> None:
    in_order, mixed = names(lane(window=0), TOTAL), names(lane(window=6), TOTAL)
    moved = [mixed.index(name) - place for place, name in enumerate(in_order)]
    assert max(map(abs, moved)) < 6
    assert any(moved)
    # A window mixes neighbouring shards, which none does not.
    shards = [name.partition("/")[0] for name in mixed]
    assert len([1 for a, b in itertools.pairwise(shards) if a != b]) > len(set(shards)) - 1


@pytest.mark.parametrize("window", [0, 6, 100])
def test_a_bookmark_goes_on_with_the_same_images(window: int) -> None:
    drawn = list(itertools.islice(lane(window=window).images(Bookmark()), 2 * TOTAL + 9))
    for done in range(2 * TOTAL):
        saved = json.loads(json.dumps(asdict(drawn[done].after)))
        at = Bookmark(**{**saved, "last": Due(**saved["last"])})
        again = list(itertools.islice(lane(window=window).images(at), 9))
        assert [(d.image.name, d.count) for d in again] == [
            (d.image.name, d.count) for d in drawn[done + 1 : done + 10]
        ]


def test_a_bookmark_does_not_open_the_shards_before_it() -> None:
    opened: list[str] = []

    def noted(url: str) -> Iterator[Encoded]:
        opened.append(url)
        yield from read(url)

    whole = Lane(URLS, 0, 1, 1, 2, noted)
    at = list(itertools.islice(whole.images(Bookmark()), TOTAL - 3))[-1].after
    order = opened[: len(URLS)]
    opened.clear()
    next(Lane(URLS, 0, 1, 1, 2, noted).images(at))
    assert opened[0] == order[at.turn]
    assert at.turn > 2


def test_damaged_shards_are_noted_and_passed() -> None:
    def broken(url: str) -> Iterator[Encoded]:
        yield from read(url)
        if url == "3":
            raise ImageError("cut")

    lane = Lane(URLS, 0, 1, 1, 0, broken)
    assert len(set(names(lane, TOTAL))) == TOTAL
    assert lane.failures == ["cut"]
    with pytest.raises(DataError, match=r"no images in 7 shards, for example '\d'"):
        next(Lane(URLS, 0, 1, 1, 0, lambda url: iter(())).images(Bookmark()))


def test_the_number_of_lanes() -> None:
    assert [lanes_of(shards, 2) for shards in (2, 3, 4, 9, 16, 1000)] == [1, 1, 2, 4, 8, 8]
    with pytest.raises(DataError, match="1 shards cannot be shared by 2 processes"):
        lanes_of(1, 2)

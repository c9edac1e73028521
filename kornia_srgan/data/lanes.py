"""In which order shards are read and their images drawn: a function of the seed, without random state.

The shards of an epoch are shuffled and dealt out to lanes, several for each process. A lane reads its shards
one after the other. Image number k of a lane is due at k plus a random part of the window, so an image moves
by at most a window and never out of its epoch. To go on from a `Bookmark`, a lane opens the shard of the
oldest image that was not drawn yet, and passes over what was.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from kornia_srgan.data.members import Encoded
from kornia_srgan.errors import DataError, ImageError
from kornia_srgan.rng import draw_numbers

MOST_LANES = 8
BARREN_EPOCHS = 16
"""A lane gives up after so many without an image; its shards are others in each."""

_SHARDS, _DELAY = 7, 8  # after those of `sampling`


def lanes_of(shards: int, world_size: int) -> int:
    """Lanes of each process: a power of two, so that it can be shared out to workers.

    Raises:
        DataError: If there are fewer shards than processes.
    """
    if shards < world_size:
        raise DataError.at(
            "data.shards",
            f"{shards} shards cannot be shared by {world_size} processes; make more, smaller ones",
        )
    return 1 << (min(MOST_LANES, shards // world_size).bit_length() - 1)


@dataclass(frozen=True, order=True)
class Due:
    """When an image is drawn: in its epoch, after its delay, in the order of reading."""

    epoch: int = -1
    after: int = -1
    count: int = -1


@dataclass(frozen=True)
class Bookmark:
    """Where a lane goes on.

    Attributes:
        epoch: Of the oldest image that was not drawn yet.
        turn: Which of the lane's shards in that epoch it is in.
        offset: Images before it in that shard.
        count: Images of the lane before it, of all epochs.
        last: What was drawn last: of the images from there on, those up to it are passed over.
        taken: Crops already taken from the next image.
    """

    epoch: int = 0
    turn: int = 0
    offset: int = 0
    count: int = 0
    last: Due = Due()
    taken: int = 0


@dataclass(frozen=True)
class Drawn:
    """An image, its number in the lane, and where the lane goes on after it."""

    image: Encoded
    count: int
    after: Bookmark


@dataclass
class Lane:
    """An endless series of images out of a part of the shards.

    Attributes:
        shards: Addresses of all shards.
        number: Which lane of all processes it is.
        lanes: How many there are.
        seed: Seed of the order.
        window: By how many images one may move; so many are held in memory, encoded.
        read: The images of a shard.
        failures: Archives found damaged since they were last asked for.
    """

    shards: Sequence[str]
    number: int
    lanes: int
    seed: int
    window: int
    read: Callable[[str], Iterator[Encoded]]
    failures: list[str] = field(default_factory=list)

    def images(self, at: Bookmark) -> Iterator[Drawn]:
        """The images from a bookmark on.

        Raises:
            DataError: If the lane finds no image, time and again.
        """
        held: list[tuple[Due, Bookmark, Encoded]] = []
        for place, image in self._read_from(at):
            coming = Due(place.epoch, place.count, place.count)  # nothing from here on is due before
            while held and held[0][0] < coming:
                due, _, ready = heapq.heappop(held)
                oldest = min((entry[1] for entry in held), key=lambda b: b.count, default=place)
                after = Bookmark(oldest.epoch, oldest.turn, oldest.offset, oldest.count, due)
                yield Drawn(ready, due.count, after)
            due = self._due(place)
            if due > at.last:
                heapq.heappush(held, (due, place, image))

    def _due(self, place: Bookmark) -> Due:
        bits = int(draw_numbers(self.seed, _DELAY, np.array([place.count * self.lanes + self.number]))[0])
        return Due(place.epoch, place.count + bits % max(1, self.window), place.count)

    def _read_from(self, at: Bookmark) -> Iterator[tuple[Bookmark, Encoded]]:
        epoch, turn, offset, count = at.epoch, at.turn, at.offset, at.count
        barren = 0
        while True:
            before = count
            for here in range(turn, len(order := self._order(epoch))):
                try:
                    for index, image in enumerate(self.read(self.shards[order[here]])):
                        if index >= offset:
                            yield Bookmark(epoch, here, index, count), image
                            count += 1
                except ImageError as error:
                    self.failures.append(str(error))
                offset = 0
            barren = barren + 1 if count == before else 0
            if barren == BARREN_EPOCHS:
                raise DataError(
                    f"no images in {len(self.shards)} shards, for example '{self.shards[order[0]]}'"
                    + (f": {self.failures[0]}" if self.failures else ""),
                    where=self.shards[order[0]],
                )
            epoch, turn = epoch + 1, 0

    def _order(self, epoch: int) -> list[int]:
        """The lane's shards in an epoch."""
        keys = draw_numbers(self.seed, _SHARDS, np.arange(len(self.shards)) + epoch * 2**40)
        return np.argsort(keys, kind="stable")[self.number :: self.lanes].tolist()

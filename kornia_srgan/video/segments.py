"""What is encoded so far, on the disk: a file for each segment, so that a stop loses at most one."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from kornia_srgan.atomic import write_bytes, write_text
from kornia_srgan.errors import DataError, UserError
from kornia_srgan.photos.photo import Pixels

_PLAN, _SUFFIX = "plan.json", ".segment"
_SIGNATURE = "kornia-srgan segment 1"


@dataclass(frozen=True)
class Coded:
    """A packet of an encoder, in its order of decoding."""

    data: bytes
    pts: int
    key: bool


@dataclass(frozen=True)
class Segment:
    """A finished segment.

    Attributes:
        path: Its file.
        moments: Time and duration of each frame, in the order of showing.
        packets: Time, key and size of each packet, in the order of decoding.
    """

    path: Path
    moments: tuple[tuple[int, int], ...]
    packets: tuple[tuple[int, bool, int], ...]

    def coded(self) -> Iterator[Coded]:
        """Its packets."""
        with self.path.open("rb") as file:
            file.readline()
            for pts, key, size in self.packets:
                yield Coded(file.read(size), pts, key)


class Parts:
    """The folder of a result's segments, beside the result.

    Args:
        target: The result.
        plan: All that the segments depend on; a run that goes on must have the same.
        resume: True goes on, False begins again, None refuses to choose where there is something.
        begun: There is something although there are no segments: pictures.

    Raises:
        UserError: If there are segments and it is not said what to do, or they are of another plan.
    """

    def __init__(
        self, target: Path, plan: Mapping[str, Any], resume: bool | None, *, begun: bool = False
    ) -> None:
        self.folder = parts_folder(target)
        self._plan = json.loads(json.dumps(plan))
        found = self._found()
        if resume is False:
            self.remove()
        elif found is not None:
            self._check(found, target, resume, begun)
        self.segments = list(self._segments()) if self.folder.is_dir() else []
        if self._found() is None:
            write_text(self.folder / _PLAN, json.dumps(self._plan, indent=1))

    def _found(self) -> dict[str, Any] | None:
        try:
            return json.loads((self.folder / _PLAN).read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def _check(self, found: Mapping[str, Any], target: Path, resume: bool | None, begun: bool) -> None:
        different = [key for key in self._plan if found.get(key) != self._plan[key]]
        begun = begun or any(self.folder.glob(f"*{_SUFFIX}"))
        if not begun and (different or resume is None):
            self.remove()
        elif resume is None:
            raise UserError(
                f"'{target}' was started and stopped; --resume continues it, --no-resume starts again",
                where=target,
            )
        elif different:
            raise UserError(
                f"'{target}' cannot be resumed: other {', '.join(different)} than before; "
                "use the same, or --no-resume to start again",
                where=target,
            )

    def _segments(self) -> Iterator[Segment]:
        """The segments that are there without a gap."""
        for number in range(10**9):
            segment = _read(self._path(number))
            if segment is None:
                return
            yield segment

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}{_SUFFIX}"

    @property
    def last(self) -> int | None:
        """The time of the last frame that is done, in ticks."""
        return self.segments[-1].moments[-1][0] if self.segments else None

    @property
    def frames(self) -> int:
        """How many are done."""
        return sum(len(segment.moments) for segment in self.segments)

    def add(
        self, packets: Sequence[Coded], moments: Sequence[tuple[int, int]], state: Pixels | None = None
    ) -> None:
        """Put a segment on the disk, whole or not at all.

        Args:
            packets: In the order of decoding.
            moments: Time and duration of its frames.
            state: The last frame as it was computed, where the next one depends on it.
        """
        number = len(self.segments)
        if state is not None:
            buffer = BytesIO()
            np.save(buffer, state)
            write_bytes(self._state(number), buffer.getvalue())
        segment = _write(self._path(number), packets, moments)
        with contextlib.suppress(OSError):
            self._state(number - 1).unlink(missing_ok=True)
        self.segments.append(segment)

    def at(self, number: int) -> Segment | None:
        """The segment of a number, which another process may have put there before those in front of it."""
        return _read(self._path(number))

    def read_again(self) -> None:
        """Take in what other processes put there."""
        self.segments = list(self._segments())

    def state(self) -> Pixels | None:
        """The last frame of the last segment, where it was kept."""
        try:
            return np.load(self._state(len(self.segments) - 1))
        except (OSError, ValueError):
            return None

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06}.npy"

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class OnePart:
    """One segment of a result, whose others are made elsewhere.

    Args:
        target: The result.
        number: Of the segment.
    """

    def __init__(self, target: Path, number: int) -> None:
        self._path = parts_folder(target) / f"{number:06}{_SUFFIX}"
        self.segments: list[Segment] = []

    def add(
        self, packets: Sequence[Coded], moments: Sequence[tuple[int, int]], state: Pixels | None = None
    ) -> None:
        """Put the segment on the disk, whole or not at all; there is no next one to keep a state for."""
        del state
        self.segments.append(_write(self._path, packets, moments))

    def remove(self) -> None:
        """Leave the folder to who has all segments."""


def parts_folder(target: Path) -> Path:
    """Where the segments of a result are until it is whole."""
    return target.with_name(f".{target.name}.parts")


def _write(path: Path, packets: Sequence[Coded], moments: Sequence[tuple[int, int]]) -> Segment:
    head = {
        "kind": _SIGNATURE,
        "moments": list(moments),
        "packets": [(packet.pts, packet.key, len(packet.data)) for packet in packets],
    }
    line = json.dumps(head).encode() + b"\n"
    write_bytes(path, line + b"".join(packet.data for packet in packets))
    segment = _read(path)
    if segment is None:
        raise DataError(f"'{path}' was written and cannot be read back", where=path)
    return segment


def _read(path: Path) -> Segment | None:
    """The segment in a file; None where there is none, or not all of it."""
    try:
        with path.open("rb") as file:
            line = file.readline()
            head = json.loads(line)
        moments = tuple((int(pts), int(duration)) for pts, duration in head["moments"])
        packets = tuple((int(pts), bool(key), int(size)) for pts, key, size in head["packets"])
        whole = len(line) + sum(size for _, _, size in packets) == path.stat().st_size
        good = head["kind"] == _SIGNATURE and whole and len(moments) > 0
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Segment(path, moments, packets) if good else None

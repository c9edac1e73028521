"""Segments of a video on the disk. Each is a file, so a run that stops loses at most the last one."""

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
    """A packet from an encoder: one compressed frame.

    Attributes:
        data: The compressed bytes.
        pts: When the frame is shown, in ticks of the clip's `time_base`.
        key: Whether it is a key frame, where a player can start.
    """

    data: bytes
    pts: int
    key: bool


@dataclass(frozen=True)
class Segment:
    """A finished segment.

    Attributes:
        path: Its file.
        moments: `(pts, duration)` of each frame in ticks, in the order in which frames are shown.
        packets: `(pts, key, bytes)` of each packet, in the order in which packets are decoded.
    """

    path: Path
    moments: tuple[tuple[int, int], ...]
    packets: tuple[tuple[int, bool, int], ...]

    def coded(self) -> Iterator[Coded]:
        """Read its packets, in the order in which they are decoded."""
        with self.path.open("rb") as file:
            file.readline()
            for pts, key, size in self.packets:
                yield Coded(file.read(size), pts, key)


class Parts:
    """The folder with a result's segments. It lies beside the result.

    Args:
        target: The result.
        plan: All settings that the segments depend on, as plain JSON. Resuming needs the same ones.
        resume: True goes on with what is there, False starts again. None starts, but raises if an earlier
            run has left something.
        begun: Whether an earlier run has left numbered pictures, which count like segments.

    Attributes:
        folder: The folder.
        segments: The finished segments, from the first up to the first gap.

    Raises:
        UserError: If an earlier run has left something and `resume` is None, or its plan was another.
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
        """The finished segments, from the first up to the first gap."""
        for number in range(10**9):
            segment = _read(self._path(number))
            if segment is None:
                return
            yield segment

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}{_SUFFIX}"

    @property
    def last(self) -> int | None:
        """The `pts` of the last finished frame, in ticks; None if there is none."""
        return self.segments[-1].moments[-1][0] if self.segments else None

    @property
    def frames(self) -> int:
        """How many frames are finished."""
        return sum(len(segment.moments) for segment in self.segments)

    def add(
        self, packets: Sequence[Coded], moments: Sequence[tuple[int, int]], state: Pixels | None = None
    ) -> None:
        """Write the next segment. It is written whole or not at all.

        Args:
            packets: Its packets, in the order in which they are decoded.
            moments: `(pts, duration)` of its frames in ticks, in the order in which they are shown.
            state: The last frame, `(H, W, 3)`, if the next segment depends on it.

        Raises:
            DataError: If the file cannot be read back.
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
        """A segment by its number, or None if it is not there yet.

        It may be there before those in front of it: another process may have written it.
        """
        return _read(self._path(number))

    def read_again(self) -> None:
        """Look again for segments, because other processes write them too."""
        self.segments = list(self._segments())

    def state(self) -> Pixels | None:
        """The last frame of the last segment, `(H, W, 3)`; None if it was not stored."""
        try:
            return np.load(self._state(len(self.segments) - 1))
        except (OSError, ValueError):
            return None

    def _state(self, number: int) -> Path:
        return self.folder / f"{number:06}.npy"

    def remove(self) -> None:
        """Remove the folder and all segments in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


class OnePart:
    """One segment of a result whose other segments are made by other processes.

    Args:
        target: The result.
        number: The number of the segment, from 0.

    Attributes:
        segments: The segment, once it is written.
    """

    def __init__(self, target: Path, number: int) -> None:
        self._path = parts_folder(target) / f"{number:06}{_SUFFIX}"
        self.segments: list[Segment] = []

    def add(
        self, packets: Sequence[Coded], moments: Sequence[tuple[int, int]], state: Pixels | None = None
    ) -> None:
        """Write the segment, as `Parts.add`. `state` is ignored: no segment follows here."""
        del state
        self.segments.append(_write(self._path, packets, moments))

    def remove(self) -> None:
        """Do nothing: the folder belongs to the process that joins the segments."""


def parts_folder(target: Path) -> Path:
    """The folder of a result's segments, which exists until the result is complete."""
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
    """Read a segment's description; None if the file is missing or incomplete."""
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

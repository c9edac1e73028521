"""The directories of EXIF and TIFF, entry by entry as they are stored.

Nothing is interpreted that need not be: a damaged entry costs only itself, and what nobody here knows (a
camera's own notes among it) comes out as it went in.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from PIL import ExifTags, TiffTags

FIRST, EXIF, GPS, INTEROP = 0, 0x8769, 0x8825, 0xA005
MAKER_NOTE = 0x927C
POINTERS = {EXIF: FIRST, GPS: FIRST, INTEROP: EXIF}  # which directory holds the pointer to which
ASCII, SHORT, LONG, UNDEFINED = 2, 3, 4, 7

_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_LONG8 = {16, 17, 18}  # of BigTIFF
_UNITS = {5: 4, 10: 4}  # a fraction is two numbers
_NUMBERS = frozenset(_SIZES) - {1, ASCII, UNDEFINED}
_MOST_ENTRIES = 4096
_LAST_NOTE = (
    60_000  # beyond, a camera's notes are not kept in place: the gap before them would fill a segment
)


@dataclass(frozen=True)
class TagEntry:
    """One entry of a directory.

    Attributes:
        kind: TIFF's code of its type.
        data: Its value, in the byte order of the structure.
    """

    kind: int
    data: bytes

    @property
    def count(self) -> int:
        """How many values it has."""
        return len(self.data) // _SIZES[self.kind]


Directory = Mapping[int, TagEntry]


@dataclass(frozen=True)
class Structure:
    """The directories of an EXIF block or of a TIFF's first page.

    Attributes:
        order: `<` or `>`.
        directories: By the tag that points to them; the first under `FIRST`.
        damaged: Names of entries that could not be read.
        note_at: Where the camera's own notes began. These may point into themselves counted from the start of
            the structure, so they stay there if that can be.
    """

    order: str
    directories: Mapping[int, Directory]
    damaged: tuple[str, ...] = ()
    note_at: int = 0

    def number(self, tag: int, directory: int = FIRST) -> int | None:
        """An entry's first value, where it is a whole number."""
        entry = self.directories.get(directory, {}).get(tag)
        code = {1: "B", SHORT: "H", LONG: "I"}.get(entry.kind) if entry else None
        if entry is None or code is None or not entry.data:
            return None
        return int(struct.unpack_from(self.order + code, entry.data)[0])

    def fractions(self, tag: int) -> tuple[float, ...]:
        """The values of an entry of the first directory that holds fractions."""
        entry = self.directories[FIRST].get(tag)
        if entry is None or entry.kind != 5:
            return ()
        numbers = struct.unpack(f"{self.order}{entry.count * 2}I", entry.data)
        return tuple(a / b if b else 0.0 for a, b in zip(numbers[::2], numbers[1::2], strict=True))

    def with_entries(self, directory: int, entries: Mapping[int, TagEntry | None]) -> Structure:
        """With entries put in, or taken out where None."""
        merged = {**self.directories.get(directory, {}), **entries}
        kept = {tag: entry for tag, entry in merged.items() if entry is not None}
        return replace(self, directories={**self.directories, directory: kept})

    def whole(self, value: int) -> TagEntry:
        """A whole number as an entry: short where it fits."""
        kind, code = (SHORT, "H") if value < 65536 else (LONG, "I")
        return TagEntry(kind, struct.pack(self.order + code, value))


def tag_name(tag: int, directory: int = FIRST) -> str:
    """What EXIF calls a tag."""
    names = ExifTags.GPSTAGS if directory == GPS else ExifTags.TAGS
    return names.get(tag) or f"0x{tag:04x}"


def read_structure(data: bytes) -> Structure:
    """Read an EXIF block (without its marker) or a TIFF file, BigTIFF too.

    Raises:
        ValueError: If it is none, or its first directory is not in it.
    """
    data = data.removeprefix(b"Exif\x00\x00")
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    version = struct.unpack_from(f"{order}H", data, 2)[0] if order and len(data) >= 8 else 0
    if order is None or version not in (42, 43, 0x55, 0x4F52, 0x5352):  # the others are of camera raw
        raise ValueError("no TIFF structure")
    reader = _Reader(data, order, big=version == 43)
    start = reader.unpack("Q", 8) if reader.big else reader.unpack("I", 4)
    first = reader.directory(start, FIRST)
    if first is None:
        raise ValueError("its first directory is damaged")
    directories = {FIRST: first}
    for pointer, holder in POINTERS.items():
        entry = directories.get(holder, {}).get(pointer)
        if entry is None:
            continue
        directories[holder] = {t: e for t, e in directories[holder].items() if t != pointer}
        code = {LONG: "I", 13: "I"}.get(entry.kind)
        inner = reader.directory(struct.unpack_from(order + code, entry.data)[0], pointer) if code else None
        if inner is None:
            reader.damaged.append(
                {EXIF: "the EXIF directory", GPS: "GPSInfo"}.get(pointer, "Interoperability")
            )
        elif inner:
            directories[pointer] = inner
    return Structure(order, directories, tuple(dict.fromkeys(reader.damaged)), reader.note_at)


@dataclass
class _Reader:
    data: bytes
    order: str
    big: bool
    damaged: list[str] = field(default_factory=list)
    note_at: int = 0

    def unpack(self, code: str, place: int) -> int:
        if place + struct.calcsize(code) > len(self.data):
            raise ValueError("it ends too early")
        return int(struct.unpack_from(self.order + code, self.data, place)[0])

    def directory(self, place: int, pointer: int) -> dict[int, TagEntry] | None:
        """A directory without its damaged entries; None where there is none at that place."""
        head, size = (8, 20) if self.big else (2, 12)
        try:
            count = self.unpack("Q" if self.big else "H", place)
        except (ValueError, OverflowError):
            return None
        if place < 8 or count > _MOST_ENTRIES:
            return None
        found: dict[int, TagEntry] = {}
        for index in range(count):
            at = place + head + index * size
            if at + size > len(self.data):
                self.damaged.append("the end of a directory")
                break
            tag, kind = struct.unpack_from(f"{self.order}HH", self.data, at)
            values = self.unpack("Q" if self.big else "I", at + 4)
            entry = self._entry(at, tag, kind, values)
            if values and (entry is None or not _fits(tag, entry, pointer)):
                self.damaged.append(tag_name(tag, pointer))
            elif entry is not None and values:
                found.setdefault(tag, entry)
        return found

    def _entry(self, at: int, tag: int, kind: int, values: int) -> TagEntry | None:
        if kind not in _SIZES:
            return None
        size, room = values * _SIZES[kind], 8 if self.big else 4
        place = at + (12 if self.big else 8)
        if size > room:
            place = self.unpack("Q" if self.big else "I", place)
        if place + size > len(self.data):
            return None
        if tag == MAKER_NOTE and size > room:
            self.note_at = place
        value = self.data[place : place + size]
        if kind not in _LONG8:
            return TagEntry(kind, value)
        numbers = struct.unpack(f"{self.order}{values}Q", value)
        return TagEntry(LONG, struct.pack(f"{self.order}{values}I", *(min(n, 2**32 - 1) for n in numbers)))


def _fits(tag: int, entry: TagEntry, directory: int) -> bool:
    """Whether an entry is text where TIFF or EXIF wants text, and numbers where it wants numbers."""
    if directory == FIRST and TiffTags.lookup(tag).type is not None:
        wanted = TiffTags.lookup(tag).type
    else:
        wanted = TiffTags.lookup(tag, directory).type if directory else None
    if wanted in _NUMBERS:
        return entry.kind != ASCII
    return wanted != ASCII or entry.kind not in _NUMBERS


def write_structure(structure: Structure) -> bytes:
    """The directories as an EXIF block, without its marker."""
    mark = b"II*\0" if structure.order == "<" else b"MM\0*"
    blocks = _laid_out(structure, [FIRST, EXIF, GPS, INTEROP], 8)
    return _joined([(0, mark + struct.pack(f"{structure.order}I", 8)), *blocks])


def write_directory(structure: Structure, pointer: int, start: int) -> bytes | None:
    """One directory below the first, laid out to lie at `start` of a file; None where there is none."""
    if not structure.directories.get(pointer):
        return None
    blocks = _laid_out(structure, [pointer, INTEROP] if pointer == EXIF else [pointer], start)
    return _joined([(place - start, block) for place, block in blocks])


def _laid_out(structure: Structure, wanted: list[int], start: int) -> list[tuple[int, bytes]]:
    """The blocks of directories, and where each lies in the file; the first wanted one at `start`."""
    directories = structure.directories
    known = [
        p for p in wanted if directories.get(p) or p == wanted[0] or (p == EXIF and INTEROP in directories)
    ]
    pointed = {p: [q for q in known[1:] if POINTERS[q] == p] for p in known}
    tags = {p: sorted({*directories.get(p, {}), *pointed[p]}) for p in known}
    note = directories.get(EXIF, {}).get(MAKER_NOTE)
    room = _Room(start, structure.note_at, len(note.data) if note else 0, 6 + 12 * len(tags[known[0]]))
    places = {p: room.take(6 + 12 * len(tags[p])) for p in known}
    blocks: list[tuple[int, bytes]] = []
    for pointer in known:
        rows = [struct.pack(f"{structure.order}H", len(tags[pointer]))]
        for tag in tags[pointer]:
            if tag in pointed[pointer]:
                entry = TagEntry(LONG, struct.pack(f"{structure.order}I", places[tag]))
            else:
                entry = directories[pointer][tag]
            value = entry.data.ljust(4, b"\0")
            if len(entry.data) > 4:
                stays = pointer == EXIF and tag == MAKER_NOTE and room.reserved is not None
                place = structure.note_at if stays else room.take(len(entry.data))
                blocks.append((place, entry.data))
                value = struct.pack(f"{structure.order}I", place)
            rows.append(struct.pack(f"{structure.order}HHI", tag, entry.kind, entry.count) + value)
        blocks.append((places[pointer], b"".join(rows) + bytes(4)))
    return blocks


class _Room:
    """Gives out places one after another, around one that is reserved."""

    def __init__(self, start: int, note_at: int, size: int, first: int) -> None:
        fits = size > 4 and start + first <= note_at < _LAST_NOTE
        self.reserved = range(note_at, note_at + size) if fits else None
        self._next = start

    def take(self, size: int) -> int:
        reserved = self.reserved
        if reserved and self._next < reserved.stop and self._next + size > reserved.start:
            self._next = reserved.stop + reserved.stop % 2
        place = self._next
        self._next += size + size % 2
        return place


def _joined(blocks: Iterable[tuple[int, bytes]]) -> bytes:
    whole = bytearray()
    for place, block in sorted(blocks):
        whole.extend(bytes(place - len(whole)))
        whole += block
    return bytes(whole)


def swap_entry(entry: TagEntry) -> TagEntry:
    """An entry in the other byte order."""
    unit = _UNITS.get(entry.kind, _SIZES[entry.kind])
    pieces = (entry.data[i : i + unit][::-1] for i in range(0, len(entry.data), unit))
    return TagEntry(entry.kind, b"".join(pieces))


def in_order(structure: Structure, order: str) -> Structure:
    """A structure in a byte order."""
    if structure.order == order:
        return structure
    directories = {
        pointer: {tag: swap_entry(entry) for tag, entry in directory.items()}
        for pointer, directory in structure.directories.items()
    }
    return replace(structure, order=order, directories=directories)


def walk_entries(structure: Structure) -> Iterator[tuple[int, int, TagEntry]]:
    """All entries, with the directories that they are in."""
    for pointer, directory in structure.directories.items():
        for tag, entry in directory.items():
            yield pointer, tag, entry

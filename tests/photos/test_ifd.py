"""EXIF is kept entry by entry: what is damaged costs only itself."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from kornia_srgan.photos.ifd import EXIF, FIRST, GPS, MAKER_NOTE, read_structure, write_structure
from tests.helpers.photos import enlarge, exiftool

GOOD = {0x010F: "Maker", 0x0110: "Model 3", 0x0132: "2024:02:03 04:05:06", 0x8298: "(c) Someone"}


def structure(order="<", *, entry=None, inner=None, note=b"", note_at=0):
    """An EXIF block with four good tags, ISO 400 and a position, and one more row where one is given.

    Args:
        entry: (tag, kind, count, value or offset) in the first directory.
        inner: The same in the EXIF directory.
        note: The camera's notes.
        note_at: Where they begin.
    """

    def row(tag, kind, count, value):
        if isinstance(value, str):
            text = value.encode() + b"\0"
            place = 1000 + sum(len(t) for t in texts)
            texts.append(text)
            return struct.pack(f"{order}HHII", tag, 2, len(text), place)
        short = struct.pack(f"{order}HH", value, 0) if kind == 3 and count == 1 else None
        return struct.pack(f"{order}HHI", tag, kind, count) + (short or struct.pack(f"{order}I", value))

    def directory(rows):
        packed = [row(*r) for r in sorted(rows, key=lambda r: r[0])]
        return struct.pack(f"{order}H", len(rows)) + b"".join(packed) + bytes(4)

    texts = []
    first = [(tag, 2, 0, text) for tag, text in GOOD.items()] + [(EXIF, 4, 1, 300), (GPS, 4, 1, 500)]
    below = [(0x8827, 3, 1, 400)] + ([(MAKER_NOTE, 7, len(note), note_at)] if note else [])
    block = bytearray(20_000)
    block[:8] = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    for place, rows in (
        (8, first + ([entry] if entry else [])),
        (300, below + ([inner] if inner else [])),
        (500, [(1, 2, 2, int.from_bytes(b"N\0\0\0", "little" if order == "<" else "big"))]),
    ):
        packed = directory(rows)
        block[place : place + len(packed)] = packed
    block[1000 : 1000 + len(b"".join(texts))] = b"".join(texts)
    block[note_at : note_at + len(note)] = note
    return bytes(block[: max(2000, note_at + len(note))])


def picture(path, exif):
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(path, exif=b"Exif\0\0" + exif)
    return path


DAMAGE = [
    ((0x011A, 2, 6, 1000), "XResolution"),  # text where a number belongs
    ((0x0131, 3, 1, 7), "Software"),  # a number where text belongs
    ((0x010E, 2, 50, 900_000), "ImageDescription"),  # beyond the end
    ((0x010E, 2, 2**31, 1000), "ImageDescription"),  # more values than there are bytes
    ((0x010E, 99, 5, 1000), "ImageDescription"),  # an unknown type
    ((0xC0DE, 7, 99, 2**32 - 5), "0xc0de"),
]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("place", "row", "name"),
    [("entry", row, name) for row, name in DAMAGE]
    + [("inner", row, name) for row, name in DAMAGE if row[0] not in (0x011A, 0x0131)],
)
def test_a_damaged_entry_costs_only_itself(tmp_path, order, place, row, name):
    notes = enlarge(picture(tmp_path / "in.jpg", structure(order, **{place: row})), tmp_path / "out.jpg")
    assert f"of its EXIF {name} is damaged and left out" in notes
    with Image.open(tmp_path / "out.jpg") as image:
        exif = image.getexif()
        assert {tag: exif[tag] for tag in GOOD} == GOOD
        assert exif.get_ifd(EXIF)[0x8827] == 400
        assert exif.get_ifd(GPS)[1] == "N"


@pytest.mark.parametrize(("tag", "name"), [(EXIF, "the EXIF directory"), (GPS, "GPSInfo")])
def test_a_directory_that_is_not_there_costs_only_itself(tmp_path, tag, name):
    exif = bytearray(structure())
    place = exif.index(struct.pack("<HHI", tag, 4, 1)) + 8
    exif[place : place + 4] = struct.pack("<I", 77_777)
    notes = enlarge(picture(tmp_path / "in.jpg", bytes(exif)), tmp_path / "out.jpg")
    assert f"of its EXIF {name} is damaged and left out" in notes
    with Image.open(tmp_path / "out.jpg") as image:
        assert {t: image.getexif()[t] for t in GOOD} == GOOD


def test_directories_in_a_circle_end(tmp_path):
    exif = structure(inner=(0xA005, 4, 1, 300))  # points to the directory that it is in
    enlarge(picture(tmp_path / "in.jpg", exif), tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif()[0x010F] == "Maker"


def test_no_exif_at_all_is_said(tmp_path):
    (note,) = enlarge(
        picture(tmp_path / "in.jpg", b"II*\0\xff\xff\xff\xff" + bytes(30)), tmp_path / "out.jpg"
    )
    assert note == "its EXIF is damaged and left out"


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_read_is_written_again(order):
    first = read_structure(structure(order, note=bytes(range(200)), note_at=1500))
    again = read_structure(write_structure(first))
    assert again == first
    assert first.number(0x8827, EXIF) == 400
    assert first.note_at == 1500
    assert first.directories[FIRST][0x010F].data == b"Maker\0"


@pytest.mark.parametrize("note_at", [1500, 700, 12_000])
def test_the_cameras_notes_stay_where_they_were(tmp_path, note_at):
    """Canon's and others' count offsets from the start of EXIF; moved, they would be lost."""
    note = bytes(range(256)) * 2
    source = picture(tmp_path / "in.jpg", structure(note=note, note_at=note_at))
    for suffix in (".jpg", ".png", ".webp"):
        enlarge(source, tmp_path / f"out{suffix}")
        with Image.open(tmp_path / f"out{suffix}") as image:
            block = image.info["exif"].removeprefix(b"Exif\0\0")
        assert block[note_at : note_at + len(note)] == note
        assert read_structure(block).note_at == note_at


def test_exif_that_is_too_long_for_a_jpeg_loses_its_longest_and_says_so(tmp_path):
    note = np.random.default_rng(0).bytes(80_000)
    file = io.BytesIO()
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(
        file, "PNG", exif=b"Exif\0\0" + structure(note=note, note_at=1500)
    )
    (tmp_path / "in.png").write_bytes(file.getvalue())
    (note_said,) = enlarge(tmp_path / "in.png", tmp_path / "out.jpg")
    assert "no room for the EXIF tags MakerNote" in note_said
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif()[0x8298] == "(c) Someone"
    assert enlarge(tmp_path / "in.png", tmp_path / "out.png") == ()


def test_all_that_describes_goes_to_tiff(tmp_path):
    exif = Image.Exif()
    exif[0x9C9B], exif[0x4746], exif[0x010F] = "Titel".encode("utf-16-le"), 4, "Maker"
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(tmp_path / "in.jpg", exif=exif)
    enlarge(tmp_path / "in.jpg", tmp_path / "out.tif")
    found = exiftool(tmp_path / "out.tif")
    assert (found["IFD0:XPTitle"], found["IFD0:Rating"], found["IFD0:Make"]) == ("Titel", 4, "Maker")


def test_interoperability_goes_along(tmp_path):
    exif = Image.Exif()
    inner = exif.get_ifd(EXIF)
    inner[0x8827] = 400
    inner[0xA005] = {1: "R98"}
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(tmp_path / "in.jpg", exif=exif)
    for suffix in (".jpg", ".tif"):
        enlarge(tmp_path / "in.jpg", tmp_path / f"out{suffix}")
        assert exiftool(tmp_path / f"out{suffix}")["InteropIFD:InteropIndex"] == "R98"

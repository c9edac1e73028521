"""Which words about a picture each format can hold, and how they are written there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kornia_srgan.photos import photoshop
from kornia_srgan.photos.captions.found import COMMENT, XMP_TEXT
from kornia_srgan.photos.formats import Format
from kornia_srgan.photos.ifd import (
    ASCII,
    EXIF,
    FIRST,
    UNDEFINED,
    Structure,
    TagEntry,
    tag_name,
    walk_entries,
    write_structure,
)
from kornia_srgan.photos.metadata import exif_structure
from kornia_srgan.photos.photo import Metadata, Text
from kornia_srgan.photos.segments import COM, app_marker, jpeg_segment
from kornia_srgan.photos.xmp import split_for_jpeg

_SEGMENT = 65_533  # bytes of content
_USER_COMMENT = 0x9286
# Where EXIF has a place for PNG's words. `parameters` is what image generators write; in formats without
# texts they look for it in the user's comment themselves.
_EXIF_PLACES = {
    "parameters": (EXIF, _USER_COMMENT),
    COMMENT: (EXIF, _USER_COMMENT),
    "Description": (FIRST, 0x010E),
    "Software": (FIRST, 0x0131),
    "Author": (FIRST, 0x013B),
    "Copyright": (FIRST, 0x8298),
}


def fit_metadata(metadata: Metadata, form: Format) -> tuple[Metadata, tuple[str, ...]]:
    """What of the metadata a format can hold, and notes that name the rest."""
    metadata, texts = _placed_texts(metadata, form)
    stated = (
        ("ICC profile", metadata.icc, form.icc),
        ("EXIF", metadata.exif, form.exif),
        ("XMP", metadata.xmp, form.xmp),
        ("IPTC captions", metadata.photoshop, form.iptc),
    )
    lost = [name for name, value, held in stated if value is not None and not held]
    lost += [f"the text '{text.keyword}'" for text in texts]
    notes = (f"{form.name} cannot store {', '.join(lost)}: left out",) if lost else ()
    kept = Metadata(
        icc=metadata.icc if form.icc else None,
        exif=metadata.exif if form.exif else None,
        xmp=metadata.xmp if form.xmp else None,
        dpi=metadata.dpi if form.dpi else None,
        photoshop=metadata.photoshop if form.iptc else None,
        texts=metadata.texts,
    )
    if form.exif_limit and kept.exif is not None and len(kept.exif) > form.exif_limit:
        shorter, names = _shortened(exif_structure(kept.exif), form.exif_limit)
        kept = replace(kept, exif=shorter)
        notes += (f"{form.name} has no room for the EXIF tags {', '.join(names)}: left out",)
    return kept, notes


def _placed_texts(metadata: Metadata, form: Format) -> tuple[Metadata, list[Text]]:
    """The metadata with its texts where the format has a place for them, and those without one."""
    if form.texts:
        return metadata, []
    structure, kept, lost = exif_structure(metadata.exif), [], []
    for text in metadata.texts:
        fits = len(text.value.encode("utf-8", "replace")) <= _SEGMENT
        if text.keyword == COMMENT and form.comments and fits:
            kept.append(text)
            continue
        directory, tag = _EXIF_PLACES.get(text.keyword, (FIRST, 0))
        taken = tag in structure.directories.get(directory, {})
        if form.exif and tag and not taken:
            structure = structure.with_entries(directory, {tag: _exif_text(text.value, tag)})
        else:
            lost.append(text)
    metadata = replace(metadata, texts=tuple(kept))
    if any(structure.directories.values()):
        metadata = replace(metadata, exif=write_structure(structure))
    return metadata, lost


def _exif_text(value: str, tag: int) -> TagEntry:
    if tag != _USER_COMMENT:
        return TagEntry(ASCII, value.replace("\0", " ").encode("utf-8", "replace") + b"\0")
    if value.isascii():
        return TagEntry(UNDEFINED, b"ASCII\0\0\0" + value.encode())
    return TagEntry(UNDEFINED, b"UNICODE\0" + value.encode("utf-16-be", "replace"))


def _shortened(structure: Structure, limit: int) -> tuple[bytes | None, list[str]]:
    """An EXIF block without its longest entries."""
    names = []
    while len(block := write_structure(structure)) > limit:
        pointer, tag, _ = max(walk_entries(structure), key=lambda item: len(item[2].data))
        structure = structure.with_entries(pointer, {tag: None})
        names.append(tag_name(tag, pointer))
    return block, names


def jpeg_extras(metadata: Metadata) -> bytes:
    """XMP, IPTC and comments as the segments of a JPEG."""
    segments = []
    if metadata.xmp is not None:
        segments += [jpeg_segment(app_marker(1), content) for content in split_for_jpeg(metadata.xmp)]
    if metadata.photoshop is not None:
        step = _SEGMENT - len(photoshop.MARK)
        for start in range(0, len(metadata.photoshop), step):
            part = metadata.photoshop[start : start + step]
            segments.append(jpeg_segment(app_marker(13), photoshop.MARK + part))
    segments += [jpeg_segment(COM, text.value.encode("utf-8", "replace")) for text in metadata.texts]
    return b"".join(segments)


def png_captions(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    """XMP, IPTC and texts as the chunks of a PNG: names and contents."""
    if metadata.xmp is not None:
        yield b"iTXt", XMP_TEXT.encode() + b"\0\0\0\0\0" + metadata.xmp
    if metadata.photoshop is not None:
        block = metadata.photoshop
        rows = "\n".join(block.hex()[i : i + 72] for i in range(0, 2 * len(block), 72))
        yield b"tEXt", b"Raw profile type iptc\0" + f"\niptc\n{len(block):8d}\n{rows}\n".encode()
    for text in metadata.texts:
        keyword = text.keyword.encode("latin-1", "replace") + b"\0"
        if not text.language and not text.translated and _is_latin(text.value):
            yield b"tEXt", keyword + text.value.encode("latin-1")
        else:
            spoken = text.language.encode("latin-1", "replace") + b"\0" + text.translated.encode() + b"\0"
            yield b"iTXt", keyword + b"\0\0" + spoken + text.value.encode("utf-8", "surrogateescape")


def _is_latin(text: str) -> bool:
    try:
        return b"\0" not in text.encode("latin-1")
    except UnicodeEncodeError:
        return False

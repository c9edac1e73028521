"""Reads the header of a safetensors file without torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.locate import SUFFIX, weights_not_found
from kornia_srgan.weights.spec import WeightSpec

METADATA_KEY = "kornia_srgan"
_LARGEST_HEADER = 100_000_000  # safetensors' own limit
_ARCHIVE = "; unpack it and give the file inside"
_PROGRAM = "; give the PyTorch or safetensors file that it was made from"
_OTHER_KINDS = {
    b"\x89HDF\r\n": f"an HDF5 file{_PROGRAM}",
    b"GGUF": f"a GGUF file{_PROGRAM}",
    b"7767517": f"an ncnn model{_PROGRAM}",
    b"\x1f\x8b": f"a gzip archive{_ARCHIVE}",
    b"Rar!": f"a RAR archive{_ARCHIVE}",
    b"7z\xbc\xaf": f"a 7z archive{_ARCHIVE}",
}
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")


def read_safetensors_header(path: Path) -> dict[str, Any]:
    """Read the JSON header of a safetensors file and check the size of the file.

    Raises:
        WeightsError: If the file is missing, damaged, or not a safetensors file.
    """
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            start = file.read(16)
            if what := other_kind(path):
                raise WeightsError(f"{path} is {what}", where=path)
            length = int.from_bytes(start[:8], "little")
            _check_start(path, start, length, size)
            file.seek(8)
            text = file.read(length)
    except FileNotFoundError:
        raise weights_not_found(path) from None
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}", where=path) from None
    try:
        header = json.loads(text)
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        expected = 8 + length + max(ends, default=0)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise WeightsError(
            f"{path} is damaged: its header is not that of a safetensors file", where=path
        ) from None
    if size < expected:
        raise WeightsError(f"{path} is truncated: {size} of {expected} bytes; fetch it again", where=path)
    if size > expected:
        raise WeightsError(f"{path} is damaged: {size - expected} bytes follow its last tensor", where=path)
    return header


def _check_start(path: Path, start: bytes, length: int, size: int) -> None:
    if start[8:9] != b"{" or length > _LARGEST_HEADER:
        if start.startswith(_PICKLE_STARTS):
            raise WeightsError(
                f"{path} is a PyTorch pickle, not safetensors; `kornia-srgan convert {path}` imports it",
                where=path,
            )
        raise WeightsError(
            f"{path} is not a safetensors file{' (it is empty)' if not size else ''}", where=path
        )
    if 8 + length > size:
        raise WeightsError(f"{path} is truncated: it ends inside its header; fetch it again", where=path)


def other_kind(path: Path) -> str | None:
    """What a file is that is not a weight file, and what to do about it; None if unknown."""
    with open(path, "rb") as file:
        start = file.read(512)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return (
            "a Git LFS pointer, a note of three lines in place of the weights; run `git lfs pull` in its "
            "repository, or download the file itself"
        )
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return (
            "a web page saved under that name, not weights; open its address in a browser and use the "
            "download link there"
        )
    if text.startswith((b"{", b"[")) and path.suffix != SUFFIX:
        return "a text of JSON, not weights; a server may have answered with a message in place of the file"
    for magic, what in _OTHER_KINDS.items():
        if start.startswith(magic):
            return what
    return f"an ONNX model{_PROGRAM}" if path.suffix.lower() == ".onnx" else None


def is_pickle(path: Path) -> bool:
    """Whether a file starts like a PyTorch pickle, an old one or a zip archive."""
    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError:
        return False
    return start[8:] != b"{" and start.startswith(_PICKLE_STARTS)


def spec_in(header: Mapping[str, Any], path: Path) -> WeightSpec:
    """The spec of this package in a header.

    Raises:
        WeightsError: If there is none or it is damaged.
    """
    metadata = header.get("__metadata__")
    text = metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise WeightsError(
            f"{path} is safetensors without a '{METADATA_KEY}' description in its header; "
            f"`kornia-srgan convert {path}` imports weights of other projects",
            where=path,
        )
    return WeightSpec.from_json(text, str(path))

"""`WeightSpec`: the description of weights in the header of their file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeAlias

from kornia_srgan.errors import WeightsError

FORMAT_VERSION = 1

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"


@dataclass(frozen=True)
class WeightSpec:
    """Everything needed to rebuild a model, and the origin of its weights.

    Attributes:
        name: The component's registered name.
        args: Its constructor arguments, without those of the context such as `scale`; tuples are read back as
            lists.
        scale: The upscaling factor.
        kind: The registry that `name` belongs to.
        value_range: The range of the model's input and output images.
        channels: The number of channels of these images.
        data_range: The stored values that 0 and 1 stand for, such as (0, 10000); empty for photographs.
        training: How the weights were trained: recipe, steps, data, scores, date, versions.
        license: Licence of the weights, as an SPDX identifier where one exists.
        tensor_hash: SHA-256 over the tensors; filled in when the file is written.
        plugin: The source of a component that is not built in; otherwise empty.
        format_version: Version of this header.
    """

    name: str
    args: dict[str, JSON]
    scale: int
    kind: str = "generator"
    value_range: tuple[float, float] = (0.0, 1.0)
    channels: int = 3
    data_range: tuple[float, ...] = ()
    training: dict[str, JSON] = field(default_factory=dict)
    license: str = ""
    tensor_hash: str = ""
    plugin: str = ""
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """The spec as one line of JSON, with a checksum of itself.

        Raises:
            WeightsError: If `args` or `training` hold a value that JSON does not support.
        """
        raw = asdict(self)
        try:
            return _canonical({**raw, "checksum": _checksum(raw)})
        except (TypeError, ValueError) as error:
            raise WeightsError(
                f"weights of '{self.name}': the header takes plain JSON only: {error}", where=self.name
            ) from None

    @classmethod
    def from_json(cls, text: str, where: str) -> WeightSpec:
        """Read the text of `to_json`; `where` is the file in messages.

        Raises:
            WeightsError: If the text is damaged, lacks a field, or has a newer format.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError):
            raise WeightsError(
                f"{where}: the header is damaged: its description is not JSON", where=where
            ) from None
        if not isinstance(raw, dict):
            raise WeightsError(
                f"{where}: the header is damaged: its description is not a mapping", where=where
            )
        version = raw.get("format_version")
        if isinstance(version, int) and version > FORMAT_VERSION and _is_intact(raw):
            raise WeightsError(
                f"{where}: written in format version {version}, this kornia_srgan reads up to "
                f"{FORMAT_VERSION}; upgrade it with `pip install -U kornia-srgan`",
                where=where,
            )
        if not _is_intact(raw):
            raise WeightsError(f"{where}: the header is damaged: its checksum does not match", where=where)
        return _from_fields(raw, where)


def describe_channels(channels: int, data_range: Sequence[float] | None) -> str:
    """What weights are for: `4 channels of 0 to 10000`, `1 channel (grey)`, `3 channels (RGB)`."""
    count = f"{channels} channel{'s' if channels > 1 else ''}"
    if data_range:
        return f"{count} of {data_range[0]:g} to {data_range[1]:g}"
    return f"{count} ({'grey' if channels == 1 else 'RGB'})"


def _is_intact(raw: Mapping[str, Any]) -> bool:
    content = {k: v for k, v in raw.items() if k != "checksum"}
    try:
        return raw.get("checksum") == _checksum(content)
    except ValueError:  # a NaN, which Python reads and JSON does not know
        return False


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


_TYPES: dict[str, type] = {
    "name": str,
    "args": dict,
    "scale": int,
    "kind": str,
    "value_range": list,
    "channels": int,
    "data_range": list,
    "training": dict,
    "license": str,
    "tensor_hash": str,
    "plugin": str,
    "format_version": int,
}


def _from_fields(raw: Mapping[str, Any], where: str) -> WeightSpec:
    for name in ("name", "args", "scale"):
        if name not in raw:
            raise WeightsError(f"{where}: the header lacks '{name}'", where=where)
    # A field that this version does not know was added without changing the meaning of the others.
    known = {f.name: raw[f.name] for f in fields(WeightSpec) if f.name in raw}
    for name, value in known.items():
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            raise WeightsError(
                f"{where}: the header's '{name}' should be of type {_TYPES[name].__name__}, got {value!r}",
                where=where,
            )
    if "value_range" in known:
        known["value_range"] = _value_range(known["value_range"], where)
    if known.get("data_range"):
        known["data_range"] = _value_range(known["data_range"], where)
    known["data_range"] = tuple(known.get("data_range", ()))
    if known["scale"] < 1:
        raise WeightsError(
            f"{where}: the header's 'scale' should be at least 1, got {known['scale']}", where=where
        )
    return WeightSpec(**known)


def _value_range(value: list[Any], where: str) -> tuple[float, float]:
    match value:
        case [int() | float() as low, int() | float() as high] if low < high:
            return float(low), float(high)
    raise WeightsError(
        f"{where}: the header's 'value_range' should be two numbers, low and high, got {value}", where=where
    )

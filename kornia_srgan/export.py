"""Export a generator to ONNX, or to `torch.export` for PyTorch without this package.

Batch, height and width stay free. The exported program is checked against the generator before it is written.
The file includes the header of the weights.
"""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from kornia_srgan.assembly import LoadedGenerator, load_generator
from kornia_srgan.atomic import write_bytes
from kornia_srgan.contracts import Geometry
from kornia_srgan.environment import require_extra
from kornia_srgan.errors import KorniaSRGANError, UserError, located
from kornia_srgan.explain import first_line
from kornia_srgan.geometry import bands_of, geometry_of
from kornia_srgan.optimize.rewrites import folded_copy
from kornia_srgan.weights.safetensors_header import METADATA_KEY
from kornia_srgan.weights.spec import WeightSpec

Format = Literal["onnx", "pt2"]
FORMATS: tuple[Format, ...] = ("onnx", "pt2")
INPUT, OUTPUT = "lr", "sr"
TOLERANCE = 1e-3  # a quarter of a grey level
_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
# Batch, height and width to trace and to check with, the sizes in multiples of the generator's alignment.
# Batch 2, because a size of 1 is taken as fixed.
_EXAMPLE = (2, 16, 20)
_CHECKS = ((1, 24, 17), (3, 9, 32))


@dataclass(frozen=True)
class Parity:
    """The largest difference between the exported generator and the original, on one random input."""

    shape: tuple[int, ...]
    difference: float


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        path: The file.
        format: Its format.
        spec: The header of the weights that it contains.
        align: Height and width must be multiples of this; 1, as for most generators, allows any size.
        parity: The checks that it passed.
    """

    path: Path
    format: Format
    spec: WeightSpec
    align: int
    parity: tuple[Parity, ...]


def export_generator(
    source: str | Path | LoadedGenerator, path: str | Path, *, format: Format | None = None
) -> Exported:
    """Export a generator with free batch, height and width.

    The exported program takes `lr`, float32 `(B, 3, h, w)` in [0, 1], and returns `sr`,
    `(B, 3, scale*h, scale*w)`, unclamped. An ONNX file stores the header of the weights in its metadata under
    `kornia_srgan`, and the geometry for tiling as `scale`, `halo` (empty: the whole picture) and `align`. A
    `.pt2` file stores them as extra files, `kornia_srgan.json` and `geometry.json`. Re-parameterised
    convolutions are exported as the single ones that they equal.

    Args:
        source: Weights, as for `load_generator`, or the result of `load_generator`.
        path: The file to write.
        format: `onnx` or `pt2`; by default by the suffix of `path`.

    Raises:
        UserError: If the format is unknown, the generator cannot be traced, or the file cannot be written.
        MissingExtraError: If ONNX's packages are not installed.
        KorniaSRGANError: If the exported generator gives different images.
    """
    path = Path(path)
    chosen = pick_format(path, format)
    if chosen == "onnx":
        _require_onnx()
    loaded = source if isinstance(source, LoadedGenerator) else load_generator(source)
    module = loaded.module.to("cpu", torch.float32).eval()
    align = geometry_of(module, measure=False).align
    with _quiet():
        program = _trace(folded_copy(module), loaded.spec.name, align)
        geometry = geometry_of(module)
        data, run = (_to_onnx if chosen == "onnx" else _to_pt2)(program, loaded.spec, geometry)
        smallest = (1, _smallest(align), _smallest(align))
        checks = (*_CHECKS, smallest)
        with located(loaded.spec.name):
            parity = tuple(_compare(module, run, batch, h * align, w * align) for batch, h, w in checks)
    worst = max(check.difference for check in parity)
    if not worst <= TOLERANCE:
        raise KorniaSRGANError.at(
            path,
            f"the exported '{loaded.spec.name}' differs from the original by {worst:.2g}; "
            "nothing was written",
        )
    write_bytes(path, data)
    return Exported(path, chosen, loaded.spec, align, parity)


def pick_format(path: Path, format: str | None) -> Format:
    """The format of a file: the one that was asked for, else that of its suffix.

    Raises:
        UserError: If there is no such format.
    """
    wanted = format or path.suffix.removeprefix(".").lower()
    for known in FORMATS:
        if wanted == known:
            return known
    where = f"format '{format}'" if format else f"{path}: the suffix '{path.suffix}'"
    raise UserError(
        f"{where} is none of {', '.join(FORMATS)}; name the file x.onnx or x.pt2, or give --format",
        where="format" if format else path,
    )


def _require_onnx() -> None:
    require_extra("export", *_ONNX_PACKAGES, purpose="export to ONNX")


def _trace(module: nn.Module, name: str, align: int) -> ExportedProgram:
    batch, height, width = _EXAMPLE
    example = torch.rand(batch, bands_of(module), height * align, width * align)
    sizes = {0: Dim("batch"), 2: _multiple(align, "height"), 3: _multiple(align, "width")}
    try:
        return torch.export.export(module, (example,), dynamic_shapes=(sizes,), strict=False)
    except Exception as error:  # torch._dynamo has many errors and no common base
        raise UserError(
            f"generator '{name}' cannot be exported with free sizes: {first_line(error)}", where=name
        ) from error


def _multiple(align: int, name: str) -> Any:
    return Dim(name) if align == 1 else align * Dim(f"{name}_{align}", min=_smallest(align))


def _smallest(align: int) -> int:
    """The least multiple of `align` that is taken: unshuffled pixels, too, must not be of size 1."""
    return 1 if align == 1 else 2


Run = Callable[[Tensor], Tensor]


def module_to_onnx(module: nn.Module) -> bytes:
    """A generator without header as ONNX, with free sizes and its geometry; not checked.

    Raises:
        UserError: If it cannot be traced.
        MissingExtraError: If ONNX's packages are not installed.
    """
    _require_onnx()
    plain = folded_copy(module).to("cpu", torch.float32).eval()
    with _quiet():
        program = _trace(plain, type(module).__name__, geometry_of(plain, measure=False).align)
        return _serialised(program, _told(geometry_of(plain)))


def _told(geometry: Geometry) -> dict[str, str]:
    """The geometry as metadata."""
    halo = "" if geometry.halo is None else str(geometry.halo)
    return {"scale": str(geometry.scale), "halo": halo, "align": str(geometry.align)}


def _serialised(program: ExportedProgram, metadata: dict[str, str]) -> bytes:
    exported = torch.onnx.export(
        program, dynamo=True, external_data=False, input_names=[INPUT], output_names=[OUTPUT], verbose=False
    )
    if exported is None:
        raise KorniaSRGANError("torch.onnx.export returned nothing")
    proto: Any = exported.model_proto
    proto.producer_name = "kornia_srgan"
    for key, value in metadata.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    return proto.SerializeToString()


def _to_onnx(program: ExportedProgram, spec: WeightSpec, geometry: Geometry) -> tuple[bytes, Run]:
    import onnxruntime

    data = _serialised(program, {METADATA_KEY: spec.to_json(), **_told(geometry)})
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])

    def run(lr: Tensor) -> Tensor:
        return torch.from_numpy(session.run([OUTPUT], {INPUT: lr.numpy()})[0])

    return data, run


def _to_pt2(program: ExportedProgram, spec: WeightSpec, geometry: Geometry) -> tuple[bytes, Run]:
    buffer = io.BytesIO()
    extra = {f"{METADATA_KEY}.json": spec.to_json(), "geometry.json": json.dumps(_told(geometry))}
    torch.export.save(program, buffer, extra_files=extra)
    buffer.seek(0)
    return buffer.getvalue(), torch.export.load(buffer).module()


def _compare(module: nn.Module, run: Run, batch: int, height: int, width: int) -> Parity:
    generator = torch.Generator().manual_seed(batch * 10_000 + height * 100 + width)
    lr = torch.rand(batch, bands_of(module), height, width, generator=generator)
    with torch.inference_mode():
        expected = module(lr)
    with torch.no_grad():
        got = run(lr)
    if got.shape != expected.shape:
        raise KorniaSRGANError(
            f"the exported generator gives {tuple(got.shape)} for an input of {tuple(lr.shape)}, "
            f"the original {tuple(expected.shape)}"
        )
    return Parity(tuple(lr.shape), (got - expected).abs().max().item())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the notes of the exporters about themselves."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "torch.export")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

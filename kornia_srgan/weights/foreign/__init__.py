"""Imports weights of other projects; the generator is detected from keys and shapes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kornia_srgan.community import INSTALL
from kornia_srgan.errors import MissingExtraError, WeightsError
from kornia_srgan.weights.files import check_finite
from kornia_srgan.weights.foreign import compact, leftthomas, lornatang, msrresnet, rrdb, span
from kornia_srgan.weights.foreign.layout import Converted, Layout, State
from kornia_srgan.weights.foreign.reading import RawWeights, read_tensors
from kornia_srgan.weights.foreign.spandrel import read_with_spandrel
from kornia_srgan.weights.safetensors_header import METADATA_KEY, is_pickle, read_safetensors_header
from kornia_srgan.weights.spec import WeightSpec

if TYPE_CHECKING:
    from torch import Tensor

LAYOUTS: tuple[Layout, ...] = (
    leftthomas.LAYOUT,
    lornatang.LAYOUT,
    lornatang.LAYOUT_2022,
    msrresnet.BASICSR,
    msrresnet.MMAGIC,
    rrdb.BASICSR,
    rrdb.KAIR,
    rrdb.FLAT,
    compact.LAYOUT,
    span.LAYOUT,
)


@dataclass(frozen=True)
class Imported:
    """A checkpoint of another project, converted to a generator of this package.

    Attributes:
        spec: Its spec.
        state: The tensors under this package's names.
        layout: The project and architecture that it matched.
        found_at: The entry of the file with the tensors; empty for the top level.
        tensors: The number of tensors for the generator; all of them were used.
        left_out: Other entries of the file.
    """

    spec: WeightSpec
    state: dict[str, Tensor]
    layout: str
    found_at: str
    tensors: int
    left_out: tuple[str, ...]

    def report(self) -> list[str]:
        """A readable report of the conversion, line by line."""
        arguments = ", ".join(f"{name}={value}" for name, value in self.spec.args.items())
        place = f" in '{self.found_at}'" if self.found_at else ""
        lines = [
            f"layout:    {self.layout}",
            f"tensors:   {self.tensors}{place}, all used",
            f"generator: {self.spec.name} x{self.spec.scale} ({arguments})",
        ]
        if self.left_out:
            some = ", ".join(self.left_out[:4]) + (", ..." if len(self.left_out) > 4 else "")
            noun = "entry" if len(self.left_out) == 1 else "entries"
            lines.append(f"left out:  {len(self.left_out)} other {noun} ({some})")
        return lines


def is_foreign(path: str | Path) -> bool:
    """Whether a file is for `import_weights` rather than `load_weights`.

    True for pickles and for safetensors without a spec of this package; False for damaged or missing files.
    """
    path = Path(path)
    try:
        return is_pickle(path) or METADATA_KEY not in (
            read_safetensors_header(path).get("__metadata__") or {}
        )
    except WeightsError:
        return False


def import_weights(path: str | Path) -> Imported:
    """Read weights of another project.

    Args:
        path: `.pth`, `.pt`, `.pth.tar`, `.ckpt`, … or `.safetensors`. Pickles are read as tensors only.

    Raises:
        WeightsError: If the file is missing, damaged, refused, or of no known layout; in the last case it
            lists the closest layouts.
    """
    path = Path(path)
    raw = read_tensors(path)
    try:
        name, converted = _read_layout(raw.state, path)
    except WeightsError as error:
        name, converted = _ask_spandrel(raw.state, path, error)
    check_finite(converted.state, path)
    spec = WeightSpec(
        name=converted.name,
        args=converted.args,
        scale=converted.scale,
        training={"imported_from": path.name, "layout": name, "tensors_at": raw.found_at},
    )
    return Imported(spec, converted.state, name, raw.found_at, len(raw.state), raw.left_out)


def _read_layout(state: State, path: Path) -> tuple[str, Converted]:
    layout = _find_layout(state, str(path))
    try:
        return layout.name, layout.read(state)
    except WeightsError as error:
        raise WeightsError(f"{path} looks like {layout.name}, but {error}", where=path) from None
    except KeyError as error:
        raise WeightsError(
            f"{path} looks like {layout.name}, but lacks its layer {error}", where=path
        ) from None
    except (IndexError, ValueError, RuntimeError, ZeroDivisionError):
        raise WeightsError(
            f"{path} looks like {layout.name}, but its tensors have other shapes", where=path
        ) from None


def _ask_spandrel(state: State, path: Path, own: WeightsError) -> tuple[str, Converted]:
    """What no layout is, by spandrel; where it does not know it either, our own layouts' answer is raised."""
    try:
        found = read_with_spandrel(state)
    except MissingExtraError:
        raise WeightsError(
            f"{own}. spandrel supports some forty more architectures: `{INSTALL}`", where=path
        ) from None
    except WeightsError as error:
        raise WeightsError(f"{own}. By spandrel, {error}", where=path) from None
    if found is None:
        raise own
    return found


def read_foreign(path: str | Path) -> tuple[WeightSpec, dict[str, Tensor]]:
    """`import_weights` with the result of `load_weights`: the spec and the tensors."""
    imported = import_weights(path)
    return imported.spec, imported.state


def _find_layout(state: State, where: str) -> Layout:
    for layout in LAYOUTS:
        if not layout.unknown(state) and not layout.missing(state):
            return layout
    ranked = sorted(LAYOUTS, key=lambda layout: -layout.likeness(state))
    close = [_difference(layout, state) for layout in ranked[:2] if layout.likeness(state) > 0]
    known = ", ".join(layout.name for layout in LAYOUTS)
    if close:
        raise WeightsError(
            f"{where} has no known layout; closest: {'; '.join(close)}. Known: {known}", where=where
        )
    raise WeightsError(
        f"{where} has no known layout (first key '{next(iter(state))}'). Known: {known}", where=where
    )


def _difference(layout: Layout, state: State) -> str:
    unknown, missing = layout.unknown(state), layout.missing(state)
    parts = [f"{len(state) - len(unknown)} of {len(state)} keys known"]
    parts += [f"not '{unknown[0]}'"] if unknown else []
    parts += [f"lacks {missing[0].replace(chr(92), '')}"] if missing else []
    return f"{layout.name} ({', '.join(parts)})"


__all__ = ["LAYOUTS", "Imported", "RawWeights", "import_weights", "is_foreign", "read_foreign"]

"""An ONNX file as a generator that another engine computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from kornia_srgan.engines.sessions import (
    ENGINES,
    EXTRA,
    EngineName,
    Session,
    installed_engines,
    open_session,
)
from kornia_srgan.environment import require_extra
from kornia_srgan.errors import UserError, WeightsError, WeightsNotFoundError, located
from kornia_srgan.ops.padding import pad_to, pad_to_multiple
from kornia_srgan.weights.safetensors_header import METADATA_KEY
from kornia_srgan.weights.spec import WeightSpec

SUFFIX = ".onnx"
_PROBE = 16
_LENGTHS = (64, 256, 1024)
_TRIES = 3  # pictures of noise: an activation may stop in one what it lets through in another


class OnnxGenerator(nn.Module):
    """Maps `(B, C, h, w)` in [0, 1] to `(B, C, scale*h, scale*w)` by ONNX Runtime or OpenVINO.

    It accepts any floating dtype on any device; the engine computes in float32 unless told otherwise. Files
    of `export_generator` contain their scale, halo and alignment; scale and halo of other files are measured.
    There are no gradients. The module is pickled and copied by its file.

    Args:
        data: The bytes of an ONNX file with one input, float32 or float16, whose height and width are free.
        engine: The engine.
        provider: The execution provider of ONNX Runtime, see `open_session`.
        name: The name in messages.
        bfloat16: Let OpenVINO compute in bfloat16.

    Attributes:
        in_bfloat16: Whether it computes in bfloat16.
        bands: The channels of its images; others than 3 only in files of `export_generator`.
        data_range: The stored values that 0 and 1 stand for; empty for photographs.

    Raises:
        UserError: If the file is not a usable network.
    """

    def __init__(
        self,
        data: bytes,
        engine: EngineName,
        provider: str | None = None,
        *,
        name: str = "the ONNX file",
        bfloat16: bool = False,
    ) -> None:
        super().__init__()
        self._made_of = (data, engine, provider, name, bfloat16)
        self.engine, self.in_bfloat16 = engine, bfloat16
        with located(name):
            self._session: Session = open_session(data, engine, provider, bfloat16=bfloat16)
        sizes, told = self._session.sizes, self._session.metadata
        self.data_range = _data_range(told.get(METADATA_KEY, ""), name)
        if len(sizes) != 4 or (sizes[1] not in (3, None) and METADATA_KEY not in told):
            raise UserError(
                f"{name} takes {list(sizes)}; a generator takes (batch, 3, height, width)", where=name
            )
        self.bands = sizes[1] or 3
        if sizes[2] is not None or sizes[3] is not None:
            raise UserError(
                f"{name} takes {sizes[2]} x {sizes[3]} pixels only; export it with free height and width",
                where=name,
            )
        self.align = int(told.get("align", 1))
        self.scale = int(told["scale"]) if "scale" in told else self._measured_scale(name)
        self.halo = _halo(told["halo"]) if "halo" in told else self._measured_halo()

    def _measured_scale(self, name: str) -> int:
        shape = self._run(np.zeros((1, self.bands, _PROBE, _PROBE), np.float32)).shape
        scale = shape[-1] / _PROBE
        if (
            len(shape) != 4
            or shape[1] != self.bands
            or shape[-2] != shape[-1]
            or scale != int(scale)
            or scale < 1
        ):
            raise UserError(
                f"{name} makes {shape} of (1, {self.bands}, {_PROBE}, {_PROBE}), which is no enlarged image",
                where=name,
            )
        return int(scale)

    def _measured_halo(self) -> int | None:
        """Measure how far the change of a pixel in a noise picture reaches; None for more than 512.

        NaN, as in `geometry.measure_halo`, does not work here: engines may drop it in an activation.
        """
        for length in _LENGTHS:
            found = [self._reach(length, upright=upright) for upright in (False, True)]
            if max(found) < length // 2 - 1:
                return max(found)
        return None

    def _reach(self, length: int, *, upright: bool) -> int:
        random, centre, reach = np.random.default_rng(0), length // 2, 0
        for _ in range(_TRIES):
            noise = random.random((1, self.bands, _PROBE, length), np.float32)
            changed = noise.copy()
            changed[..., centre] = 4 * (1 - changed[..., centre])  # beyond what a picture holds: it must show
            pair = [np.ascontiguousarray(x.swapaxes(2, 3) if upright else x) for x in (noise, changed)]
            first, second = (self._run(x) for x in pair)
            hit = np.flatnonzero((first != second).any((0, 1, 3) if upright else (0, 1, 2))) // self.scale
            reach = max(reach, *(abs(int(end) - centre) for end in hit[[0, -1]])) if len(hit) else reach
        return reach

    def _run(self, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return self._session.run(images.astype(np.float16 if self._session.half else np.float32, copy=False))

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge `(B, C, h, w)`; one picture at a time if the file has a fixed batch of one."""
        height, width = lr.shape[-2:]
        whole = lr.detach().to("cpu", torch.float32)
        if self.align > 1:  # exported for multiples, two at least
            whole = pad_to_multiple(pad_to(whole, 2 * self.align, 2 * self.align), self.align)
        images = np.ascontiguousarray(whole.numpy())
        parts = images if self._session.sizes[0] is None else np.split(images, len(images))
        found = self._run(images) if parts is images else np.concatenate([self._run(part) for part in parts])
        result = torch.from_numpy(found)[..., : self.scale * height, : self.scale * width]
        return result.to(lr.device, lr.dtype)

    def __reduce__(self) -> Any:
        """Pickle the file."""
        return _again, self._made_of

    def __deepcopy__(self, memo: dict[int, Any]) -> OnnxGenerator:
        """The module is immutable and returns itself."""
        return self

    def extra_repr(self) -> str:
        """The engine and the scale."""
        return f"{self.engine}, x{self.scale}"


def _again(data: bytes, engine: EngineName, provider: str | None, name: str, bfloat16: bool) -> OnnxGenerator:
    return OnnxGenerator(data, engine, provider, name=name, bfloat16=bfloat16)


def _data_range(description: str, name: str) -> tuple[float, ...]:
    """The stored values that 0 and 1 stand for, by the header that an exported file contains."""
    return WeightSpec.from_json(description, name).data_range if description else ()


def _halo(text: str) -> int | None:
    return None if text in ("", "None") else int(text)


def read_onnx(
    path: str | Path, engine: str = "auto", provider: str | None = None, *, bfloat16: bool = False
) -> OnnxGenerator:
    """A generator from an ONNX file.

    Args:
        path: The file.
        engine: `onnxruntime`, `openvino`, or `auto` (or `torch`, which cannot run one) for the first that is
            installed.
        provider: See `open_session`.
        bfloat16: See `open_session`; `auto` then takes OpenVINO.

    Raises:
        WeightsError: If the file is missing or cannot be read.
        UserError: If it is not a usable network.
        MissingExtraError: If no engine is installed.
    """
    path = Path(path)
    chosen: Any = engine
    if engine in ("auto", "torch"):
        require_extra(EXTRA, *ENGINES, purpose="an ONNX file", any_of=True)
        chosen = "openvino" if bfloat16 else installed_engines()[0]
    if not path.exists():
        raise WeightsNotFoundError(f"weights '{path}' not found", where=path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or error}", where=path) from None
    return OnnxGenerator(data, chosen, provider, name=str(path), bfloat16=bfloat16)

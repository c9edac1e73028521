"""Loads ONNX files with ONNX Runtime or OpenVINO."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from numpy.typing import NDArray

from kornia_srgan.engines.openvino import SizedRuns, openvino_core
from kornia_srgan.environment import is_installed, require_extra
from kornia_srgan.errors import ArgumentError, UserError, did_you_mean
from kornia_srgan.explain import one_line

EngineName = Literal["onnxruntime", "openvino"]
ENGINES: tuple[EngineName, ...] = ("onnxruntime", "openvino")
CHOICES = ("torch", *ENGINES, "auto")
EXTRA = "engines"
_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "rocm": "ROCMExecutionProvider",
}
Run = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Session:
    """A network that an engine has loaded.

    Attributes:
        run: Maps `(B, 3, h, w)` to `(B, 3, scale*h, scale*w)`, float32 in [0, 1]; thread-safe.
        sizes: Batch, channels, height and width of the input; None if free.
        half: Whether the network takes float16.
        metadata: The metadata of the file.
    """

    run: Run
    sizes: tuple[int | None, ...]
    half: bool
    metadata: Mapping[str, str]


def installed_engines() -> list[EngineName]:
    """The engines that are installed."""
    return [name for name in ENGINES if is_installed(name)]


def check_engine(name: str) -> None:
    """Check that an engine is known and installed.

    Raises:
        ArgumentError: If the name is not known.
        MissingExtraError: If it is not installed.
    """
    if name not in CHOICES:
        raise ArgumentError(
            f"engine '{name}' is not known{did_you_mean(name, CHOICES)}; use {', '.join(CHOICES)}",
            where="engine",
        )
    if name in ENGINES:
        require_extra(EXTRA, name, purpose=f"engine '{name}'")


def open_session(
    data: bytes, engine: EngineName, provider: str | None = None, *, bfloat16: bool = False
) -> Session:
    """Load an ONNX file's bytes.

    Args:
        data: The file; weights in external files are not supported.
        engine: Which engine.
        provider: The execution provider of ONNX Runtime: cpu, cuda, tensorrt, directml, coreml, openvino,
            rocm, or its full name; None for the CPU.
        bfloat16: Compute in bfloat16, which only OpenVINO does; input and output stay as they are.

    Raises:
        UserError: If the provider is not available, the engine does not compute in bfloat16, or it cannot
            read the file.
    """
    check_engine(engine)
    if engine == "openvino" and provider is not None:
        raise ArgumentError("a provider is for the engine onnxruntime", where="provider")
    if bfloat16 and engine != "openvino":
        raise ArgumentError(f"{engine} does not compute in bfloat16; openvino and torch do", where="dtype")
    try:
        return _onnxruntime(data, provider) if engine == "onnxruntime" else _openvino(data, bfloat16)
    except UserError:
        raise
    except Exception as error:  # each engine has its own kinds, without a common base
        reason = one_line(error, 200)
        raise UserError(f"{engine} cannot read the ONNX file: {reason}") from error


def onnxruntime_options() -> Any:
    """ONNX Runtime's `SessionOptions`: as many threads as torch, which wait by spinning within a run only.

    By default they spin on after a run and slow down whoever computes next.
    """
    options = importlib.import_module("onnxruntime").SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _onnxruntime(data: bytes, provider: str | None) -> Session:
    ort = importlib.import_module("onnxruntime")
    session = ort.InferenceSession(
        data, onnxruntime_options(), providers=_providers(provider, ort.get_available_providers())
    )
    inputs, outputs = session.get_inputs(), session.get_outputs()
    name, output = _only_one([i.name for i in inputs], [o.name for o in outputs])
    sizes = tuple(side if isinstance(side, int) else None for side in inputs[0].shape)

    def run(images: NDArray[Any]) -> NDArray[Any]:
        return session.run([output], {name: images})[0]

    half = inputs[0].type == "tensor(float16)"
    return Session(run, sizes, half, dict(session.get_modelmeta().custom_metadata_map))


def _providers(wanted: str | None, available: list[str]) -> list[str]:
    name = _PROVIDERS.get((wanted or "cpu").lower(), wanted)
    if name not in available:
        short = {long: key for key, long in _PROVIDERS.items()}
        have = ", ".join(short.get(a, a) for a in available)
        raise ArgumentError(
            f"provider '{wanted}' is not in the installed onnxruntime, which has {have}; "
            "install the package of onnxruntime for it",
            where="provider",
        )
    return list(dict.fromkeys([name, _PROVIDERS["cpu"]]))


def _openvino(data: bytes, bfloat16: bool) -> Session:
    model = openvino_core().read_model(data, b"")
    _only_one(model.inputs, model.outputs)
    shape = model.inputs[0].partial_shape
    sizes = tuple(None if side.is_dynamic else side.get_length() for side in shape)
    told: Any = dict(model.get_rt_info().items()).get("framework", {})
    metadata = {
        str(key): str(getattr(value, "value", value)) for key, value in getattr(told, "value", told).items()
    }
    half = "f16" in str(model.inputs[0].element_type)
    return Session(SizedRuns(model, bfloat16=bfloat16), sizes, half, metadata)


def _only_one(inputs: list[Any], outputs: list[Any]) -> tuple[Any, Any]:
    if len(inputs) != 1 or not outputs:
        raise UserError(f"the ONNX file takes {len(inputs)} inputs; a generator takes one picture")
    return inputs[0], outputs[0]

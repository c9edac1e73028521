"""The engines that are compared: kornia_srgan and others.

Each engine gets the same network and input, and as many threads as torch. It returns a function that runs one
forward pass and returns the image as a tensor.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from kornia_srgan.allocator import warm_allocator
from kornia_srgan.assembly import LoadedGenerator
from kornia_srgan.engines.choice import with_engine
from kornia_srgan.engines.onnx_generator import OnnxGenerator
from kornia_srgan.engines.openvino import OFTEN, compile_for_openvino, openvino_core
from kornia_srgan.engines.sessions import onnxruntime_options
from kornia_srgan.environment import package_version, require_extra
from kornia_srgan.errors import UserError, did_you_mean
from kornia_srgan.export import INPUT, OUTPUT, export_generator
from kornia_srgan.ops.modules import to_channels_last
from kornia_srgan.optimize.optimize import optimize_for_inference

Forward = Callable[[], Tensor]
EXTRA = "benchmark"


class Network:
    """A generator, plain, on the CPU in float32; exported once for all engines that read ONNX."""

    def __init__(self, loaded: LoadedGenerator) -> None:
        self.module: nn.Module = loaded.module
        self.spec = loaded.spec
        self._loaded = loaded

    @cached_property
    def onnx(self) -> bytes:
        """The network as ONNX with free sizes, checked against the module."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "generator.onnx"
            export_generator(self._loaded, path)
            return path.read_bytes()


@dataclass(frozen=True)
class ForwardPass:
    """The forward pass to measure; `images` have the dtype and device of the case.

    Attributes:
        network: The network.
        images: `(B, C, h, w)`; float32 where the dtype is `auto` and the device a CPU.
        mixed: Whether the dtype is `auto` and convolutions may multiply in bfloat16.
    """

    network: Network
    images: Tensor
    mixed: bool = False

    @property
    def plain(self) -> nn.Module:
        """A plain copy of the module, on the device and in the dtype."""
        module = copy.deepcopy(self.network.module).to(self.images.device, self.images.dtype)
        return module.eval().requires_grad_(False)


@dataclass(frozen=True)
class Own:
    """kornia_srgan's engine: the module, its input and the forward pass, which may be compiled.

    `computed_by` is `torch`, or the other engine that the `Upscaler` would use.
    """

    module: nn.Module
    images: Tensor
    forward: Forward
    computed_by: str = "torch"


def set_up_own(
    work: ForwardPass, *, optimized: bool, channels_last: bool, compiled: bool, engine: str = "torch"
) -> Own:
    """Set up what the `Upscaler` computes with when it is asked for this engine."""
    images = work.images
    dtype: torch.dtype | Literal["auto"] = "auto" if work.mixed else images.dtype
    served = with_engine(work.network.module, engine, dtype=dtype)
    if isinstance(served, OnnxGenerator):
        whole = images.float().contiguous()
        with torch.inference_mode():
            for _ in range(OFTEN):  # as in the middle of a picture, whose tiles have one size
                served(whole)
        return Own(served, whole, lambda: served(whole), served.engine)
    if optimized:
        module = optimize_for_inference(
            work.network.module, dtype=dtype, channels_last=channels_last, device=images.device
        )
        if images.device.type == "cpu":
            warm_allocator()  # as Upscaler does
    else:
        module = work.plain
    if channels_last:
        module = to_channels_last(module)
        images = images.contiguous(memory_format=torch.channels_last)
    run = module
    if compiled:
        torch.compiler.reset()  # graphs of earlier cases would count against the limit of recompilations
        run = torch.compile(module, dynamic=False)
        with torch.inference_mode():
            run(images)
    return Own(module, images, lambda: run(images))


def _eager(work: ForwardPass) -> Forward:
    module, images = work.plain, work.images.contiguous()
    return lambda: module(images)


def _spandrel(work: ForwardPass) -> Forward:
    spandrel = importlib.import_module("spandrel")
    state = {key: value.clone() for key, value in work.network.module.state_dict().items()}
    try:
        found = spandrel.ModelLoader().load_from_state_dict(state)
    except spandrel.UnsupportedModelError:
        raise UserError("spandrel has no such architecture", where="spandrel") from None
    module = found.model.to(work.images.device, work.images.dtype).eval().requires_grad_(False)
    images = work.images.contiguous()
    return lambda: module(images)


def _onnxruntime(work: ForwardPass) -> Forward:
    _require_cpu("onnxruntime", work, torch.float32)
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime_options()
    sizes = dict(zip(("batch", "height", "width"), (work.images.shape[i] for i in (0, 2, 3)), strict=True))
    for name, size in sizes.items():  # fixed sizes let it plan better; a name that is not there is ignored
        options.add_free_dimension_override_by_name(name, size)
    session = onnxruntime.InferenceSession(work.network.onnx, options, providers=["CPUExecutionProvider"])
    feed = {INPUT: work.images.contiguous().numpy()}
    return lambda: torch.from_numpy(session.run([OUTPUT], feed)[0])


def _openvino(work: ForwardPass) -> Forward:
    _require_cpu("openvino", work, torch.float32, torch.bfloat16)
    model = openvino_core().read_model(work.network.onnx, b"")
    model.reshape(list(work.images.shape))
    compiled = compile_for_openvino(model, bfloat16=work.images.dtype == torch.bfloat16)
    images = work.images.float().contiguous().numpy()
    return lambda: torch.from_numpy(compiled(images, share_inputs=True, share_outputs=True)[0])


def _require_cpu(name: str, work: ForwardPass, *dtypes: torch.dtype) -> None:
    if work.images.device.type != "cpu":
        raise UserError(f"{name} is measured on the CPU only", where=name)
    if work.images.dtype not in dtypes:
        raise UserError(
            f"{name} is not measured in {str(work.images.dtype).removeprefix('torch.')}", where=name
        )


@dataclass(frozen=True)
class Engine:
    """An engine: its name, the packages it needs (the last one gives its version), and its start function.

    `start` gets a `ForwardPass` and returns a function that runs one forward pass.
    """

    name: str
    packages: tuple[str, ...]
    start: Callable[[ForwardPass], Forward]

    @property
    def version(self) -> str:
        """The installed version."""
        return package_version(self.packages[-1]) or ""


_ONNX = ("onnx", "onnxscript", "onnxruntime")
ENGINES = {
    engine.name: engine
    for engine in (
        Engine("eager", ("torch",), _eager),
        Engine("spandrel", ("spandrel",), _spandrel),
        Engine("onnxruntime", _ONNX, _onnxruntime),
        Engine("openvino", (*_ONNX, "openvino"), _openvino),
    )
}


def find_engines(names: Iterable[str]) -> list[Engine]:
    """The engines with these names, without duplicates.

    Raises:
        UserError: If a name is unknown.
        MissingExtraError: If a required package is not installed.
    """
    found = []
    for name in dict.fromkeys(names):
        if name not in ENGINES:
            raise UserError(
                f"engine '{name}' is not known{did_you_mean(name, ENGINES)}; use {', '.join(ENGINES)}",
                where="engine",
            )
        engine = ENGINES[name]
        require_extra(EXTRA, *engine.packages, purpose=f"engine '{name}'")
        found.append(engine)
    return found

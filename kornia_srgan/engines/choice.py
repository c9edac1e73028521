"""Chooses the engine of a generator: the requested one, or the fastest by a stored measurement."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from kornia_srgan.atomic import write_bytes, write_text
from kornia_srgan.engines.onnx_generator import OnnxGenerator
from kornia_srgan.engines.openvino import OFTEN
from kornia_srgan.engines.sessions import ENGINES, EngineName, check_engine, installed_engines
from kornia_srgan.environment import cache_folder, package_version
from kornia_srgan.errors import ArgumentError, MissingExtraError, UserError
from kornia_srgan.export import module_to_onnx
from kornia_srgan.geometry import bands_of
from kornia_srgan.ops.measured import measure_in_turns
from kornia_srgan.optimize.device import pick_dtype
from kornia_srgan.optimize.optimize import optimize_for_inference
from kornia_srgan.optimize.rewrites import add_before_shuffle, folded_copy
from kornia_srgan.processor import instruction_set, processor_name

_GAIN = 1.1
_SIDE = 96
_FORM = 2  # of what is exported and measured; what an earlier version stored is made anew
_ROUNDS = OFTEN + 3  # in turns; OpenVINO is at its best after the first of these
_TIMES, _ALIKE = 4, 1.03  # at most so often that many rounds, until the two fastest passes are that near


def with_engine(
    generator: nn.Module, engine: str = "torch", provider: str | None = None, *, dtype: Any = torch.float32
) -> nn.Module:
    """Wrap a generator so that an engine computes it.

    Args:
        generator: A `contracts.Generator` on the CPU.
        engine: `torch`, `onnxruntime`, `openvino`, or `auto`, which takes an installed engine if it is
            measured to be more than 10 % faster than PyTorch. Measured once per machine and weights.
        provider: The execution provider of ONNX Runtime, see `sessions.open_session`.
        dtype: The dtype of PyTorch that `auto` compares with. In bfloat16 OpenVINO computes in bfloat16 too;
            else other engines compute in float32.

    Raises:
        UserError: If the engine or provider is not known, the engine does not compute in the dtype, or the
            generator cannot be exported.
        MissingExtraError: If the engine, or what exporting needs, is not installed.
    """
    check_engine(engine)
    if computed_elsewhere(generator):
        return generator
    if engine in ENGINES:
        return _exported(generator, engine, provider, bfloat16=asks_for_bfloat16(dtype, engine))
    if engine == "auto":
        return _fastest(generator, provider, dtype if dtype == "auto" else pick_dtype(dtype))
    if provider is not None:
        raise ArgumentError("a provider is for the engine onnxruntime", where="provider")
    return generator


def asks_for_bfloat16(dtype: torch.dtype | str, computer: str) -> bool:
    """Whether another engine than PyTorch is to compute in bfloat16; if not, it computes in float32.

    Args:
        dtype: As in `pick_dtype`; `auto` is float32.
        computer: What computes, for the message.

    Raises:
        UserError: If the dtype is not known, or is float16, which none of them computes in.
    """
    if dtype == "auto":
        return False
    wanted = pick_dtype(dtype)
    if wanted == torch.float16:
        raise ArgumentError(f"{computer} does not compute in float16; use float32 or auto", where="dtype")
    return wanted == torch.bfloat16


def check_dtype_elsewhere(generator: nn.Module, dtype: torch.dtype | str) -> None:
    """Check that a generator for `computed_elsewhere` computes in a dtype that was asked for.

    Raises:
        UserError: If a part of it would compute in float32 instead of bfloat16 or float16.
    """
    if not asks_for_bfloat16(dtype, "an ONNX file"):
        return
    parts = [m for m in generator.modules() if isinstance(m, OnnxGenerator)]
    if any(True for _ in generator.parameters()):
        told = "beside an ONNX file PyTorch computes in float32"
    elif not all(part.in_bfloat16 for part in parts):
        told = "the ONNX file was read for float32 (read_onnx(..., bfloat16=True) reads it for bfloat16)"
    else:
        return
    raise ArgumentError(f"{told}; use float32 or auto", where="dtype")


def computed_elsewhere(generator: nn.Module) -> bool:
    """Whether another engine than PyTorch computes the module or a part of it."""
    return any(isinstance(m, OnnxGenerator) for m in generator.modules())


def _exported(
    generator: nn.Module, engine: EngineName, provider: str | None, *, bfloat16: bool
) -> OnnxGenerator:
    kept = _cache() / f"{_fingerprint(generator)}-{_FORM}.onnx"
    try:
        data = kept.read_bytes()
    except OSError:
        data = module_to_onnx(_simplified(generator))
        _keep(lambda: write_bytes(kept, data))
    return OnnxGenerator(data, engine, provider, name=type(generator).__name__, bfloat16=bfloat16)


def _simplified(generator: nn.Module) -> nn.Module:
    """A copy that does the same with layers that other engines are fast at."""
    made = folded_copy(generator)
    for part in list(made.modules()):
        add_before_shuffle(part)
    return made


def _fastest(generator: nn.Module, provider: str | None, dtype: torch.dtype | Literal["auto"]) -> nn.Module:
    if provider:
        check_engine("onnxruntime")
    names: list[EngineName] = ["onnxruntime"] if provider else installed_engines()
    if not names:
        return generator
    asked = {"weights": _fingerprint(generator), "provider": provider, "dtype": str(dtype), "form": _FORM}
    key = _machine() | asked
    kept = _cache() / f"{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]}.json"
    try:
        chosen = str(json.loads(kept.read_text())["engine"])
    except (OSError, ValueError, KeyError, TypeError):
        chosen = ""
    if chosen == "torch":
        return generator

    def exported(name: EngineName) -> OnnxGenerator:
        half = dtype == torch.bfloat16 and name == "openvino"  # the other has nothing but float32
        return _exported(generator, name, provider, bfloat16=half)

    if chosen in names:
        with suppress(UserError):  # the exported file may be gone, and cannot be made again: measure anew
            return exported(chosen)
    served: dict[str, nn.Module] = {"torch": generator}
    for name in names:
        try:
            served[name] = exported(name)
        except MissingExtraError:
            return generator  # not stored: what exporting needs may be installed later
        except ArgumentError:
            raise  # the provider is not there
        except UserError:
            continue  # it cannot serve this generator; PyTorch can
    seconds = _least_seconds(served, dtype) if len(served) > 1 else {"torch": 0.0}
    chosen = min(seconds, key=lambda name: seconds[name] * (1 if name == "torch" else _GAIN))
    _keep(lambda: write_text(kept, json.dumps(key | {"engine": chosen, "seconds": seconds}, indent=1)))
    return served[chosen]


def _least_seconds(served: Mapping[str, nn.Module], dtype: torch.dtype | Literal["auto"]) -> dict[str, float]:
    """The fastest pass of each, in turns, so that other work on the machine meets them all."""
    passes = {name: partial(_seconds, network, torch.float32) for name, network in served.items()}
    passes["torch"] = partial(_seconds, optimize_for_inference(served["torch"], dtype=dtype), dtype)
    found: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(_TIMES):
        for name, seconds in measure_in_turns(passes, repeats=_ROUNDS).items():
            found[name] += seconds
        if all(map(_is_settled, found.values())):
            break
    return {name: min(values) for name, values in found.items()}


def _is_settled(seconds: list[float]) -> bool:
    """Whether the two fastest passes agree; in a moment when the machine is busy, few do."""
    first, second = sorted(seconds)[:2]
    return second <= _ALIKE * first


@torch.inference_mode()
def _seconds(generator: nn.Module, dtype: torch.dtype | Literal["auto"]) -> float:
    image: Tensor = torch.rand(
        1, bands_of(generator), _SIDE, _SIDE, generator=torch.Generator().manual_seed(0)
    )
    image = image.to(torch.float32 if dtype == "auto" else dtype)
    image = image.contiguous(memory_format=torch.channels_last)
    start = time.perf_counter()
    generator(image)
    return time.perf_counter() - start


def _machine() -> dict[str, object]:
    """The facts about the machine that decide which engine is faster."""
    packages = {name: package_version(name) for name in ("torch", *installed_engines())}
    return {
        "processor": processor_name(),
        "instructions": instruction_set(),  # virtual machines of one name differ in them
        "limits": [os.environ.get(n, "") for n in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")],
        "threads": torch.get_num_threads(),
        "packages": packages,
    }


def _fingerprint(generator: nn.Module) -> str:
    """A hash of the network and its weights."""
    found = hashlib.sha256(repr(generator).encode())
    for key, value in generator.state_dict().items():
        found.update(key.encode())
        found.update(value.detach().to("cpu", torch.float64).numpy().tobytes())
    return found.hexdigest()[:32]


def _cache() -> Path:
    return cache_folder() / "engines"


def _keep(write: Callable[[], object]) -> None:
    """Store a measurement; a full or read-only disk is ignored."""
    try:
        _cache().mkdir(parents=True, exist_ok=True)
        write()
    except (OSError, UserError):
        pass

"""OpenVINO: its core, how networks are compiled, and runs at any size."""

from __future__ import annotations

import importlib
from collections import Counter
from functools import cache
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

OFTEN = 3  # a size that comes this often gets a compiled form of its own
_KEPT = 3  # of these; the middle tiles of a picture have one size, those at its border others
_COUNTED = 256  # sizes; a server may meet any number of them


_starting = Lock()


def openvino_core() -> Any:
    """OpenVINO's `Core`, one for the whole process, which is never taken down.

    Each core replaces the thread's stack for signal handlers, and puts the one before back when it goes. If
    they do not go last in, first out, a freed stack comes back, and the next signal kills the process.
    """
    with _starting:
        return _core()


@cache
def _core() -> Any:
    return importlib.import_module("openvino").Core()


def compile_for_openvino(model: Any, *, bfloat16: bool) -> Any:
    """OpenVINO's compiled form of one of its models, for the CPU and as many threads as torch has.

    Args:
        model: What `openvino_core().read_model` gives.
        bfloat16: Compute in bfloat16 instead of float32.
    """
    settings: dict[str, Any] = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        # Left alone it may take bfloat16 for float32.
        "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    return openvino_core().compile_model(model, "CPU", settings)


class SizedRuns:
    """Runs a network of OpenVINO; thread-safe.

    It is compiled once for all sizes. A size that comes often, as that of a picture's tiles, gets a compiled
    form of its own, which takes some tenths of a second: the results are the same to the last bit, and a run
    takes 7 to 19 % less time.

    Args:
        model: What `openvino_core().read_model` gives.
        bfloat16: Compute in bfloat16 instead of float32.
    """

    def __init__(self, model: Any, *, bfloat16: bool) -> None:
        self._model, self._bfloat16 = model, bfloat16
        self._any = _Compiled(model, bfloat16=bfloat16)
        self._own: dict[tuple[int, ...], _Compiled] = {}
        self._seen: Counter[tuple[int, ...]] = Counter()
        self._lock = Lock()

    def __call__(self, images: NDArray[Any]) -> NDArray[Any]:
        """Map `(B, C, h, w)` to `(B, C, scale*h, scale*w)`."""
        with self._lock:
            compiled = self._for_size(images.shape)
        return compiled.run(images)

    def _for_size(self, size: tuple[int, ...]) -> _Compiled:
        found = self._own.pop(size, None)
        if found is None:
            if len(self._seen) >= _COUNTED:
                self._seen.clear()
            self._seen[size] += 1
            if self._seen[size] < OFTEN or not self._model.is_dynamic():
                return self._any
            model = self._model.clone()
            model.reshape(list(size))
            found = _Compiled(model, bfloat16=self._bfloat16)
            self._seen.clear()
        self._own[size] = found  # the last one used is the last one to go
        if len(self._own) > _KEPT:
            del self._own[next(iter(self._own))]
        return found


class _Compiled:
    """A compiled network and its idle requests."""

    def __init__(self, model: Any, *, bfloat16: bool) -> None:
        self._network = compile_for_openvino(model, bfloat16=bfloat16)
        self._idle: SimpleQueue[Any] = SimpleQueue()
        told = model.outputs[0]
        self._dtype = told.element_type.to_dtype()
        self._shape = None if told.partial_shape.is_dynamic else tuple(told.partial_shape.to_shape())

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        # A request holds the memory for the layers, which is worth keeping; threads do not share one.
        try:
            request = self._idle.get_nowait()
        except Empty:
            request = self._network.create_infer_request()
        if self._shape is None:
            result = np.array(request.infer([images], share_inputs=True, share_outputs=True)[0])
        else:  # written where it stays; a copy takes a twentieth of a run
            result = np.empty(self._shape, self._dtype)
            request.set_output_tensor(0, _as_tensor(result))
            request.infer([images], share_inputs=True, share_outputs=True)
        self._idle.put(request)
        return result


def _as_tensor(memory: NDArray[Any]) -> Any:
    return importlib.import_module("openvino").Tensor(memory, shared_memory=True)

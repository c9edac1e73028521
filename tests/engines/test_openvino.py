"""OpenVINO leaves the process as it was, and a size that comes often gets a form of its own."""

import ctypes
import importlib.util
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.engines import openvino
from kornia_srgan.engines.openvino import OFTEN, SizedRuns, openvino_core
from kornia_srgan.engines.sessions import open_session
from kornia_srgan.export import module_to_onnx

for name in ("openvino", "onnx", "onnxscript"):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed", allow_module_level=True)


@cache
def exported():
    torch.manual_seed(0)
    return module_to_onnx(EDSR(scale=2, channels=8, num_blocks=1).eval())


@pytest.fixture
def compiled(monkeypatch):
    """The input of every network that is compiled, as text."""
    shapes, compile_one = [], openvino.compile_for_openvino

    def noted(model, *, bfloat16):
        shapes.append(str(model.inputs[0].partial_shape))
        time.sleep(0.05)  # long enough that a second thread would do it too
        return compile_one(model, bfloat16=bfloat16)

    monkeypatch.setattr(openvino, "compile_for_openvino", noted)
    return shapes


def image(height, width):
    return np.random.default_rng(height).random((1, 3, height, width), np.float32)


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_size_that_comes_often_gets_its_own_form_with_the_same_result(bfloat16, compiled):
    run = SizedRuns(openvino_core().read_model(exported(), b""), bfloat16=bfloat16)
    first = run(image(20, 12))
    for _ in range(OFTEN - 2):
        run(image(20, 12))
    assert compiled == ["[?,3,?,?]"]
    later = [run(image(20, 12)) for _ in range(3)]
    assert compiled == ["[?,3,?,?]", "[1,3,20,12]"]
    assert all(np.array_equal(first, result) for result in later)


def test_a_result_stays_what_it_is_when_the_next_one_is_computed():
    run = SizedRuns(openvino_core().read_model(exported(), b""), bfloat16=False)
    pictures = [np.full((1, 3, 9, 9), value / 8, np.float32) for value in range(OFTEN + 3)]
    results = [run(picture) for picture in pictures]
    for result, picture in zip(results, pictures, strict=True):
        fresh = open_session(exported(), "openvino")
        assert np.array_equal(result, fresh.run(picture))


def test_sizes_that_come_seldom_do_not(compiled):
    run = SizedRuns(openvino_core().read_model(exported(), b""), bfloat16=False)
    for width in range(8, 20):
        assert run(image(16, width)).shape == (1, 3, 32, 2 * width)
    assert compiled == ["[?,3,?,?]"]


def test_any_number_of_sizes_takes_little_memory(monkeypatch):
    monkeypatch.setattr(openvino, "_COUNTED", 4)
    run = SizedRuns(openvino_core().read_model(exported(), b""), bfloat16=False)
    for width in range(8, 20):
        run(image(16, width))
        assert len(run._seen) <= 4


def test_only_the_last_forms_are_kept(compiled):
    run = SizedRuns(openvino_core().read_model(exported(), b""), bfloat16=False)

    def often(width):
        for _ in range(OFTEN):
            run(image(16, width))

    for width in (8, 9, 10):
        often(width)
    run(image(16, 8))  # used again: 9 is the one to go
    often(11)
    assert len(compiled) == 5
    run(image(16, 8))
    assert len(compiled) == 5
    often(9)
    assert compiled[5:] == ["[1,3,16,9]"]


def many(items):
    """Each six times in a row."""
    return [item for item in items for _ in range(6)]


def test_threads_share_the_forms(compiled):
    run = SizedRuns(openvino_core().read_model(exported(), b""), bfloat16=False)
    images = [image(9 + i, 12) for i in range(3)]
    alone = [run(each) for each in images]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(run, many(images)))
    for found, expected in zip(together, many(alone), strict=True):
        assert np.array_equal(found, expected)
    assert len(compiled) == 4


class SignalStack(ctypes.Structure):
    """C's `stack_t`, as Linux has it."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def signal_stack() -> tuple[int | None, int]:
    """Where the kernel lays what a signal handler of this thread needs, and how much fits there."""
    stack = SignalStack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
    return stack.start, stack.size


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's sigaltstack")
def test_openvino_leaves_the_stack_of_signal_handlers_where_it_is():
    # Freed under a thread, it turns Ctrl-C, or the end of a child, into a crash without a word.
    first = open_session(exported(), "openvino")
    before = signal_stack()
    second = open_session(exported(), "openvino")
    assert signal_stack() == before
    del first
    del second
    assert signal_stack() == before


@pytest.mark.parametrize(("bfloat16", "hint"), [(False, "f32"), (True, "bf16")])
def test_openvino_is_told_the_precision(bfloat16, hint, monkeypatch):
    core = SimpleNamespace(compile_model=lambda model, device, settings: settings)
    monkeypatch.setattr(openvino, "openvino_core", lambda: core)
    assert openvino.compile_for_openvino(None, bfloat16=bfloat16)["INFERENCE_PRECISION_HINT"] == hint

"""A CUDA device that is only pretended: its tensors say that they lie there, and are computed on the CPU.

What a pass means: no tensor was left on the wrong device, nothing was asked of the device that it does not
have, nothing waited for it inside a graph; autocast, the scaler of float16 and "cuda" as an argument work.

What a pass does not mean: that a kernel exists or rounds well enough, that anything is fast, that streams run
beside each other, that a real graph can be recorded, that memory suffices, that NCCL works. Only a GPU shows
that: the same tests take a real one where there is one.

It stands on torch's dispatch modes and is tested with torch 2.11 to 2.15.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

CUDA = torch.device("cuda", 0)
NAME = "Pretended"
_WAITS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
waited_for: list[torch.Size] = []
"""Copies that were not to be waited for, and were all the same: their memory was not pinned."""
_COPIES = (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default)


class OnCuda(Tensor):
    """A tensor that says it is on CUDA; `held` is the one that computes."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnCuda:
        with torch.inference_mode(held.is_inference()):  # a view of a plain tensor is none of inference
            made = torch.Tensor._make_wrapper_subclass(
                cls,
                held.size(),
                strides=held.stride(),
                storage_offset=held.storage_offset(),
                dtype=held.dtype,
                device="cpu",  # what autograd goes by: for CUDA it would ask the driver
            )
        made.held = held
        return made

    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.held.detach().__reduce_ex__(protocol)  # files hold no device here

    def __deepcopy__(self, memo: Any) -> OnCuda:
        made = memo[id(self)] = OnCuda(self.held.detach().clone())
        made.requires_grad_(self.requires_grad)
        if isinstance(self, torch.nn.Parameter):
            made._is_param = True
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        here = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        strays = [leaf for leaf in here if not isinstance(leaf, OnCuda) and leaf.ndim]
        if func not in _COPIES and not all(hasattr(stray, "inside") for stray in strays):
            raise RuntimeError(f"{func}: expected all tensors to be on the same device, found cuda:0 and cpu")
        held = tree_map(_held, args), tree_map(_held, kwargs)
        if strays or func in _WAITS:
            _refuse_in_graph(str(func))
        out = func(*held[0], **held[1])
        if _Graph.open is not None:
            _Graph.open.record(func, *held, out)
        return _written(func, args, kwargs) if _writes(func) else tree_map(_put, out)


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnCuda) else value


def _writes(func: Any) -> bool:
    return any(result.alias_info and result.alias_info.is_write for result in func._schema.returns)


def _written(func: Any, args: Any, kwargs: Any) -> Any:
    """The tensor that an operation in place was given, which it returns."""
    for index, argument in enumerate(func._schema.arguments):
        if argument.alias_info and argument.alias_info.is_write:
            changed = args[index] if index < len(args) else kwargs[argument.name]
            if isinstance(changed, OnCuda) and changed.shape != changed.held.shape:  # squeeze_ and the like
                with no_dispatch():
                    changed.as_strided_(changed.held.shape, changed.held.stride())
            return changed
    raise NotImplementedError(str(func))


def _put(value: Any) -> Any:
    return OnCuda(value) if isinstance(value, Tensor) and not isinstance(value, OnCuda) else value


def _refuse_in_graph(what: str) -> None:
    if _Graph.open is not None:
        raise RuntimeError(f"{what}: operation not permitted when stream is capturing")


class _Upload(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        _refuse_in_graph("a copy from the CPU")
        return OnCuda(tensor.detach().clone())

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads[0].held


class _Download(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Any) -> Tensor:
        _refuse_in_graph("a copy to the CPU")
        return tensor.held.detach().clone()

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return OnCuda(grads[0])


class _Asked(threading.local):
    new = False  # whether Python, not torch itself, asked for a new tensor


_asked = _Asked()


class _Inside(TorchDispatchMode):
    """Marks what torch's own code makes on the way, which asks no one for a device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if _is_cuda(kwargs.get("device")):  # from code of torch that no mode for functions sees
            return _put(func(*args, **{**kwargs, "device": "cpu"}))
        out = func(*args, **kwargs)
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if isinstance(out, Tensor) and not _asked.new and all(hasattr(g, "inside") for g in given):
            out.inside = True
        return out


class _Devices(TorchFunctionMode):
    """Takes "cuda" out of calls before torch looks for a driver, and puts their results there."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = _asked.new
        _asked.new = not any(isinstance(leaf, Tensor) for leaf in tree_leaves((args, kwargs)))
        try:
            return self._call(func, args, dict(kwargs or {}))
        finally:
            _asked.new = before

    def _call(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        name = getattr(func, "__name__", "")
        first = args[0] if args else None
        if isinstance(first, Tensor) and name in ("to", "cpu", "cuda"):
            return self._move(func, name, first, args[1:], kwargs)
        if isinstance(first, OnCuda):
            if name in ("numpy", "__array__"):
                raise TypeError("can't convert cuda:0 device type tensor to numpy; use Tensor.cpu() first")
            if name == "tolist":
                return first.held.tolist()
            if name in ("untyped_storage", "storage", "data_ptr"):
                return func(first.held)
            if name == "pin_memory":
                raise RuntimeError("cannot pin 'torch.cuda.FloatTensor' only dense CPU tensors can be pinned")
        if name == "copy_" and kwargs.get("non_blocking") and isinstance(args[1], OnCuda):
            func = func if isinstance(first, OnCuda) else _copied_down
        if name in ("pin_memory", "is_pinned") or kwargs.pop("pin_memory", False):
            func = partial(_with_pins, func, name)
        if not _is_cuda(kwargs.get("device")) or name == "_parse_to":
            return func(*args, **kwargs)
        return _put(func(*args, **{**kwargs, "device": "cpu"}))

    def _move(self, func: Any, name: str, tensor: Tensor, args: Any, kwargs: dict[str, Any]) -> Any:
        if name == "to":
            named = [a for a in (*args, kwargs.get("device")) if _is_device(a)]
            if args and isinstance(args[0], Tensor):
                named = [args[0].device]
                args = (args[0].dtype, *args[1:])
        else:
            named, args, kwargs = [torch.device(name)], (), {}
        goal = torch.device(named[0]) if named else None
        if goal is not None and goal.type not in ("cpu", "cuda"):
            return func(_held(tensor), *args, **kwargs)
        args = tuple("cpu" if _is_device(a) else a for a in args)
        if "device" in kwargs and goal is not None:
            kwargs["device"] = "cpu"
        if goal is not None and goal.type == "cpu" and isinstance(tensor, OnCuda):
            if kwargs.pop("non_blocking", False):
                result = func(_Download.apply(tensor), *args, **kwargs)
                return _Late.copy(result, _pinned(torch.empty_like(result)))
            tensor = _Download.apply(tensor)
        elif goal is not None and goal.type == "cuda" and not isinstance(tensor, OnCuda):
            if kwargs.get("non_blocking", False):
                _can_go_by_itself(tensor)
            tensor = _Upload.apply(tensor)
        return func(tensor, *args, **kwargs) if name == "to" else tensor


def _is_device(value: Any) -> bool:
    return isinstance(value, str | torch.device)


def _is_cuda(value: Any) -> bool:
    return _is_device(value) and torch.device(value).type == "cuda"


def _pinned(tensor: Any) -> Any:
    tensor.pinned = True
    return tensor


def _can_go_by_itself(tensor: Tensor) -> bool:
    """Whether a copy from or to a tensor needs no one to wait, as only with pinned memory."""
    if not hasattr(tensor, "pinned"):
        waited_for.append(tensor.shape)
    return hasattr(tensor, "pinned")


def _with_pins(func: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    if name == "is_pinned":
        return hasattr(args[0], "pinned")
    return _pinned(args[0].clone() if name == "pin_memory" else func(*map(_held, args), **kwargs))


def _copied_down(target: Tensor, source: OnCuda, non_blocking: bool = True) -> Tensor:
    _refuse_in_graph("a copy to the CPU")
    return _Late.copy(source.held, target) if _can_go_by_itself(target) else target.copy_(source.held)


class _Late:
    """Copies to the CPU that nobody has waited for: they hold zeros."""

    waiting: ClassVar[list[tuple[Tensor, Tensor]]] = []

    @classmethod
    def copy(cls, result: Tensor, target: Tensor) -> Tensor:
        with torch.inference_mode(target.is_inference()):
            cls.waiting.append((target.zero_(), result.clone()))
        return target

    @classmethod
    def arrive(cls, count: int | None = None) -> None:
        """Let the first so many copies arrive."""
        for target, result in cls.waiting[:count]:
            with torch.inference_mode(target.is_inference()):
                target.copy_(result)
        del cls.waiting[:count]


class _Event:
    """Waits for the copies that were asked for before it was recorded."""

    def __init__(self) -> None:
        self.before: list[tuple[Tensor, Tensor]] = []

    def record(self, stream: _Stream | None = None) -> None:
        self.before = list(_Late.waiting)

    def synchronize(self) -> None:
        left = [index for index, pair in enumerate(_Late.waiting, 1) if any(pair is p for p in self.before)]
        _Late.arrive(max(left, default=0))


class _Stream:
    """Work is done at once, in order, but for copies that are not waited for."""

    def synchronize(self) -> None:
        _Late.arrive()

    def wait_stream(self, stream: _Stream) -> None:
        """Likewise."""

    def is_capturing(self) -> bool:
        return _Graph.open is not None


class _Graph:
    """What ran while it was open, to be run again into the same memory."""

    open: _Graph | None = None

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        _Graph.open = self
        try:
            yield
        finally:
            _Graph.open = None

    def record(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        if any(isinstance(leaf, Tensor) and leaf.ndim for leaf in tree_leaves((args, kwargs))):
            self.calls.append((func, args, kwargs, out))

    def replay(self) -> None:
        for func, args, kwargs, out in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(out), tree_leaves(again), strict=True):
                if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class _Generator(torch.Generator):
    def __new__(cls, device: Any = "cpu") -> Any:
        return super().__new__(cls, "cpu" if _is_cuda(device) else device)


_PROPERTIES = SimpleNamespace(name=NAME, major=9, minor=0, total_memory=2**33, multi_processor_count=1)
_ANSWERS: dict[str, Any] = {
    "is_available": lambda: True,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "set_device": lambda device: None,
    "get_device_name": lambda device=None: NAME,
    "get_device_properties": lambda device=None: _PROPERTIES,
    "get_device_capability": lambda device=None: (9, 0),
    "is_bf16_supported": lambda including_emulation=True: True,
    "mem_get_info": lambda device=None: (2**32, 2**33),
    "synchronize": lambda device=None: _Late.arrive(),
    "empty_cache": lambda: None,
    "memory_allocated": lambda device=None: 0,
    "max_memory_allocated": lambda device=None: 2**20,
    "reset_peak_memory_stats": lambda device=None: None,
    "manual_seed": torch.default_generator.manual_seed,
    "manual_seed_all": lambda seed: None,
    "get_rng_state": lambda device="cuda": torch.default_generator.get_state(),
    "set_rng_state": lambda state, device="cuda": None,
    "get_rng_state_all": lambda: [],
    "set_rng_state_all": lambda states: None,
    "is_current_stream_capturing": lambda: _Graph.open is not None,
    "current_stream": lambda device=None: _Stream(),
    "stream": lambda stream: nullcontext(),
    "device": lambda device: nullcontext(),
    "Stream": lambda device=None: _Stream(),
    "Event": _Event,
    "CUDAGraph": _Graph,
    "graph": lambda graph: graph.recording(),
    "_lazy_init": lambda: None,
}
_ACCELERATOR: dict[str, Any] = {
    "is_available": lambda: True,
    "current_accelerator": lambda check_available=False: CUDA,
    "current_stream": lambda device=None: _Stream(),
}


@contextmanager
def pretend_cuda() -> Iterator[torch.device]:
    """A machine with one GPU, for this thread and what asks in others."""
    real, run = torch.autocast.__init__, threading.Thread.run

    def in_thread(self: threading.Thread) -> None:
        with _Inside(), _Devices():
            run(self)

    def autocast(self: Any, device_type: str, *args: Any, **kwargs: Any) -> None:
        real(self, "cpu" if device_type == "cuda" else device_type, *args, **kwargs)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(torch, "Generator", _Generator))
        for module, answers in ((torch.cuda, _ANSWERS), (torch.accelerator, _ACCELERATOR)):
            for name, answer in answers.items():
                stack.enter_context(mock.patch.object(module, name, answer))
        stack.enter_context(mock.patch.object(torch.autocast, "__init__", autocast))
        future = torch.__future__
        stack.callback(
            future.set_swap_module_params_on_conversion, future.get_swap_module_params_on_conversion()
        )
        future.set_swap_module_params_on_conversion(True)  # a module's new tensors are of another class
        stack.enter_context(mock.patch.object(threading.Thread, "run", in_thread))
        stack.enter_context(_Inside())
        stack.enter_context(_Devices())
        stack.callback(_Late.waiting.clear)
        waited_for.clear()
        yield CUDA

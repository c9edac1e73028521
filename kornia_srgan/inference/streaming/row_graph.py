"""Traces a generator with `torch.fx` into a list of row operations."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from kornia_srgan.inference.streaming.layers import (
    LEAVES,
    NotByRowsError,
    interpolation_op,
    module_op,
    shuffle_op,
)
from kornia_srgan.inference.streaming.row_ops import Convolution, Pointwise, RowOp, RowSums
from kornia_srgan.ops.fused import GatedResidual, Residual, Tail, apply_gate
from kornia_srgan.ops.packed import PackedConv2d


@dataclass
class Node:
    """One operation.

    Attributes:
        op: The operation.
        inputs: The numbers of its input nodes; 0 is the picture, node n has number n + 1.
    """

    op: RowOp
    inputs: tuple[int, ...]


@dataclass
class RowGraph:
    """A generator by rows.

    Attributes:
        nodes: In topological order.
        output: The number of the node with the result.
    """

    nodes: list[Node] = field(default_factory=list)
    output: int = 0

    def add(self, op: RowOp, *inputs: int) -> int:
        """Append an operation and return its number."""
        self.nodes.append(Node(op, inputs))
        return len(self.nodes)


def trace_rows(generator: nn.Module) -> RowGraph:
    """Trace a generator in evaluation mode.

    Raises:
        NotByRowsError: If it has other operations than convolutions that keep the size, elementwise
            operations, sums, concatenations of channels, pixel shuffles and interpolation by integer factors.
    """
    root = _Root(generator)
    try:
        with _TRACING:
            traced = _Tracer().trace(root)
    except NotByRowsError:
        raise
    except Exception as error:  # whatever the module does with what is no tensor
        raise NotByRowsError(f"{type(generator).__name__} cannot be traced: {error}") from error
    return _Reader(root).read(traced)


class _Root(nn.Module):
    """Wraps the generator, so that it is traced as a module call."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, lr: Tensor) -> Tensor:
        return self.net(lr)


def _tail(tail: Tail, x: Any) -> Any:
    return tail.second(tail.activation(tail.first(x)))


def _residual(block: Residual, x: Any) -> Any:
    inner = block.activation(block.first(x))
    if block.scale == 1.0 and isinstance(block.second, PackedConv2d):
        return block.second(inner, add=x)
    return torch.add(x, block.second(inner), alpha=block.scale)


def _gated(block: GatedResidual, x: Any) -> Any:
    first = block.activation(block.first(x))
    half = block.third(block.activation(block.second(first)))
    return half.tracer.create_proxy("call_function", apply_gate, (half, x), {}), first


@runtime_checkable
class _Aligned(Protocol):
    """A generator whose sizes are multiples of its `align`."""

    def forward_aligned(self, x: Any) -> Any: ...


# What modules do, without what depends on sizes, devices and gradients.
_PLAIN: dict[type[nn.Module], Callable[[Any, Any], Any]] = {
    Residual: _residual,
    Tail: _tail,
    GatedResidual: _gated,
}


# While torch.fx traces, every call of a module in the whole process goes through the tracer.
_TRACING = threading.Lock()


class _Tracer(fx.Tracer):
    """Traces the calls of its own thread; modules that other threads call meanwhile compute as ever."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, LEAVES)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        plain = _PLAIN.get(type(m))
        if plain is not None:
            forward = partial(plain, m)
        elif isinstance(m, _Aligned):
            forward = m.forward_aligned
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)


_POINTWISE_FUNCTIONS: set[Any] = {
    operator.add, operator.sub, operator.mul, operator.truediv, operator.neg, operator.iadd, operator.imul,
    operator.isub, operator.itruediv, operator.pow,
    torch.add, torch.sub, torch.mul, torch.div, torch.neg, torch.tanh, torch.sigmoid, torch.relu, torch.clamp,
    torch.abs, torch.exp, torch.sqrt, torch.addcmul,
    F.relu, F.leaky_relu, F.prelu, F.silu, F.gelu, F.sigmoid, F.tanh, F.relu6, F.elu, F.mish, F.hardswish,
    F.softplus, apply_gate,
}  # fmt: skip
_POINTWISE_METHODS = {
    "add", "sub", "mul", "div", "neg", "tanh", "sigmoid", "relu", "clamp", "abs", "exp", "sqrt", "add_",
    "sub_", "mul_", "div_", "clamp_", "contiguous", "clone", "to", "float", "type_as",
}  # fmt: skip
_WRITING = {apply_gate, operator.iadd, operator.imul, operator.isub, operator.itruediv}


class _Reader:
    """Converts a traced graph to row operations."""

    def __init__(self, root: nn.Module) -> None:
        self._root = root
        self._graph = RowGraph()
        tails = [m for m in root.modules() if isinstance(m, Tail)]
        self._tails: dict[nn.Module, Tail] = {tail.second: tail for tail in tails}
        self._found: dict[fx.Node, Any] = {}  # a number, a constant tensor, or a tuple of numbers

    def read(self, traced: fx.Graph) -> RowGraph:
        """All nodes."""
        for node in traced.nodes:
            if node.op == "output":
                self._graph.output = self._number(node.args[0])
            else:
                self._found[node] = self._read(node)
        return self._graph

    def _read(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            return 0
        if node.op == "get_attr":
            return self._attribute(str(node.target))
        if node.op == "call_module":
            return self._layer(node)
        if node.op == "call_function":
            return self._function(node)
        if node.op == "call_method" and node.target in _POINTWISE_METHODS:
            method = operator.methodcaller
            name = str(node.target)

            def call(first: Tensor, *others: Any, **options: Any) -> Tensor:
                return method(name, *others, **options)(first)

            return self._pointwise(call, node, in_place=name.endswith("_"))
        raise NotByRowsError(f"{node.target} is not done by rows")

    def _layer(self, node: fx.Node) -> int:
        module = self._root.get_submodule(str(node.target))
        known = ["add"] if isinstance(module, PackedConv2d) else []
        more = [node.kwargs[name] for name in known if name in node.kwargs]
        if len(node.args) != 1 or len(more) != len(node.kwargs):
            raise NotByRowsError(f"{node.target} takes more than a tensor")
        number = self._number(node.args[0])
        if module in self._tails:
            return self._by_kernel_rows(self._tails[module], number)
        return self._graph.add(module_op(module), number, *map(self._number, more))

    def _by_kernel_rows(self, tail: Tail, number: int) -> int:
        """The second convolution of a tail, with the outputs of all kernel rows as channels."""
        rows: nn.Conv2d | None = tail.packed_rows
        if rows is None:
            if tail.rows_kernel.dtype != torch.float32:  # sums of what was rounded
                return self._graph.add(Convolution(tail.second), number)
            outputs, inputs, _, side = tail.rows_kernel.shape
            rows = nn.Conv2d(inputs, outputs, (1, side), padding=(0, side // 2), bias=False, device="meta")
            rows.weight = nn.Parameter(tail.rows_kernel, requires_grad=False)
        return self._graph.add(RowSums(tail.second), self._graph.add(Convolution(rows), number))

    def _function(self, node: fx.Node) -> Any:
        target: Any = node.target
        args: Any = node.args
        if target in _POINTWISE_FUNCTIONS:
            in_place = target in _WRITING or bool(node.kwargs.get("inplace"))
            return self._pointwise(target, node, in_place=in_place)
        if target is torch.cat or target is torch.concat:
            return self._cat(*args, **node.kwargs)
        if target is operator.getitem or target in (torch.chunk, torch.split):
            return self._item(*args) if target is operator.getitem else self._parts(node)
        if target in (F.pixel_shuffle, torch.pixel_shuffle, F.pixel_unshuffle, torch.pixel_unshuffle):
            return self._shuffle(node, down=target in (F.pixel_unshuffle, torch.pixel_unshuffle))
        if target is F.interpolate:
            return self._interpolate(*args, **node.kwargs)
        raise NotByRowsError(f"{target} is not done by rows")

    def _pointwise(self, function: Callable[..., Tensor], node: fx.Node, *, in_place: bool) -> int:
        numbers: list[int] = []

        def place(value: fx.Node) -> Any:
            found = self._found[value]
            if isinstance(found, Tensor):
                return found
            numbers.append(self._number(value))
            return _Slot(len(numbers) - 1)

        args: Any = map_arg(node.args, place)
        kwargs: Any = map_arg(node.kwargs, place)

        def apply(*rows: Tensor) -> Tensor:
            return function(
                *(rows[a.index] if isinstance(a, _Slot) else a for a in args),
                **{k: rows[v.index] if isinstance(v, _Slot) else v for k, v in kwargs.items()},
            )

        if not numbers:
            raise NotByRowsError(f"{node.target} takes no rows")
        return self._graph.add(Pointwise(apply, in_place), *numbers)

    def _cat(self, tensors: Any, dim: int = 0) -> int:
        if dim not in (1, -3) or not isinstance(tensors, list | tuple):
            raise NotByRowsError("only channels are concatenated by rows")
        return self._graph.add(
            Pointwise(lambda *rows: torch.cat(rows, 1)), *(self._number(t) for t in tensors)
        )

    def _parts(self, node: fx.Node) -> Any:
        target: Any = node.target
        args: Any = node.args
        tensor, size, *rest = args
        axis = node.kwargs.get("dim", rest[0] if rest else 0)
        if axis not in (1, -3):
            raise NotByRowsError("only channels are split by rows")
        return _Parts(partial(target, dim=1), self._number(tensor), size)

    def _item(self, value: Any, index: Any) -> Any:
        found = self._found[value] if isinstance(value, fx.Node) else value
        if isinstance(found, _Parts) and isinstance(index, int):
            split, size = found.split, found.size
            return self._graph.add(Pointwise(lambda x: split(x, size)[index]), found.number)
        raise NotByRowsError("rows are not cut out of a picture")

    def _shuffle(self, node: fx.Node, *, down: bool) -> int:
        name = "downscale_factor" if down else "upscale_factor"
        factor = node.kwargs.get(name, node.args[-1])
        if not isinstance(factor, int):
            raise NotByRowsError("a pixel shuffle by an unknown factor")
        return self._graph.add(shuffle_op(factor, down=down), self._number(node.args[0]))

    def _interpolate(self, x: Any, size: Any = None, scale_factor: Any = None, **options: Any) -> int:
        if size is not None:
            raise NotByRowsError("interpolation to a size")
        return self._graph.add(interpolation_op(scale_factor, **options), self._number(x))

    def _number(self, value: Any) -> int:
        found = self._found.get(value) if isinstance(value, fx.Node) else None
        if not isinstance(found, int):
            raise NotByRowsError("something that is not rows is used as such")
        return found

    def _attribute(self, target: str) -> Tensor:
        value: Any = self._root
        for name in target.split("."):
            value = getattr(value, name)
        flat = isinstance(value, Tensor) and (value.ndim < 2 or (value.shape[-2:] == (1, 1)))
        if not flat:
            raise NotByRowsError(f"{target} is not the same for all pixels")
        return value.detach()


@dataclass(frozen=True)
class _Slot:
    index: int


@dataclass(frozen=True)
class _Parts:
    split: Callable[..., Any]
    number: int
    size: Any

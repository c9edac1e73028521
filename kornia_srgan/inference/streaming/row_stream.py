"""Feeds the rows of a picture through a `RowGraph`; each layer keeps the rows that it needs again."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import torch
from torch import Tensor

from kornia_srgan.inference.streaming.row_graph import RowGraph
from kornia_srgan.inference.streaming.row_ops import Convolution, RowOp
from kornia_srgan.ops.winograd import ROWS

# Of the rows that a layer makes at once: fewer rows cost more calls, more leave the caches.
_STEP_BYTES = 12 * 2**20


class _Rows:
    """The rows of one value that are still needed."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.made = 0
        self._start = 0
        self._parts: list[Tensor] = []
        self._store: Tensor | None = None

    @property
    def complete(self) -> bool:
        return self.made == self.total

    @property
    def held(self) -> int:
        """Size in bytes."""
        return sum(part.numel() * part.element_size() for part in self._parts)

    @property
    def kept(self) -> Tensor:
        """Some of the rows."""
        return self._parts[0]

    def append(self, rows: Tensor) -> None:
        self._parts.append(rows)
        self.made += rows.shape[-2]

    def drop_until(self, first: int) -> None:
        """Drop the rows before a row."""
        while self._parts and self._start + self._parts[0].shape[-2] <= first:
            self._start += self._parts.pop(0).shape[-2]
        if self._parts and first > self._start:
            head = self._parts[0]
            kept = head[:, :, first - self._start :]
            # A few rows must not keep the memory of many.
            self._parts[0] = self._stored(kept) if 2 * kept.shape[-2] < head.shape[-2] else kept
            self._start = first

    def _stored(self, rows: Tensor) -> Tensor:
        """A copy, in the memory of the one before: new memory for each would lie between large tensors."""
        store = self._store
        if store is None or store.shape != rows.shape or self._is_stored(rows):
            self._store = rows.clone()
            return self._store
        return store.copy_(rows)

    def _is_stored(self, rows: Tensor) -> bool:
        """Whether they lie in the memory that other rows will take."""
        store = self._store
        return store is not None and rows.untyped_storage().data_ptr() == store.untyped_storage().data_ptr()

    def pieces(self, first: int, stop: int) -> list[Tensor]:
        """The rows from `first` to `stop` that lie in the picture, as they are kept: nothing is copied."""
        position, found = self._start, []
        for part in self._parts:
            end = position + part.shape[-2]
            if end > first and position < stop:
                found.append(part[:, :, max(0, first - position) : stop - position])
            position = end
        return found

    def between(self, first: int, stop: int, dtype: torch.dtype | None = None) -> Tensor:
        """Rows from `first` to `stop`; zeros outside the picture. Rows that are copied become of `dtype`.

        They stay as they are, whatever is dropped later.
        """
        found = self.pieces(first, stop)
        above, below = max(0, -first), max(0, stop - self.total)
        if len(found) == 1 and not above and not below and not self._is_stored(found[0]):
            return found[0]
        _, channels, _, width = found[0].shape
        shape = (1, channels, stop - first, width)
        result = torch.empty(shape, dtype=dtype or found[0].dtype, memory_format=torch.channels_last)
        result[:, :, :above].zero_()
        row = above
        for part in found:
            result[:, :, row : row + part.shape[-2]] = part
            row += part.shape[-2]
        result[:, :, row:].zero_()
        return result


@dataclass
class _Work:
    """The state of a node for one picture.

    `done` counts groups of rows: `op.take` input rows, `op.give` output rows.
    """

    number: int
    op: RowOp
    inputs: list[_Rows]
    output: _Rows
    readers: list[_Work]
    alone: bool
    done: int = 0
    step: int = 0

    @property
    def total(self) -> int:
        return self.inputs[0].total // self.op.take

    def ready(self) -> int:
        """How many groups can be computed now."""
        op = self.op
        head, *others = self.inputs
        possible = self.total if head.complete else max(0, head.made - op.radius) // op.take
        possible = min(possible, *(rows.made // op.take for rows in others), self.total)
        count = possible - self.done
        if possible < self.total and self.done and isinstance(op, Convolution):
            count = count // ROWS * ROWS  # the first may be fewer, so that layers lag no more than they must
        # The first call shows how much memory a row takes; until then as few rows as leave whole steps.
        return min(count, self.step) if self.step else count - max(0, count - 1) // ROWS * ROWS

    def first_needed(self, rows: _Rows) -> int:
        """The first row of one of its inputs that it still needs."""
        radius = self.op.radius if rows is self.inputs[0] else 0
        return max(0, self.done * self.op.take - radius)

    def run(self, count: int) -> None:
        """Compute this many groups."""
        op = self.op
        first, stop = self.done * op.take, (self.done + count) * op.take
        above = below = op.radius
        if not op.zeros:
            above, below = min(above, first), min(below, self.inputs[0].total - stop)
        head, *others = self.inputs
        kept = [rows.kept for rows in self.inputs]
        conv = op if isinstance(op, Convolution) else None
        apart = others if conv and not conv.fuses_sum(kept) else []
        dtype = conv.dtype_for(kept[0]) if conv else None  # what is copied anyway is converted on the way
        seen = [head.between(first - above, stop + below, dtype)]
        seen += [] if apart else [rows.between(first, stop) for rows in others]
        if op.writes_input and not self.alone:
            seen[0] = seen[0].clone()
        result = op(seen, above, below)
        for rows in apart:
            result = _sum(rows.pieces(first, stop), result)
        self.done += count
        self.output.append(result)
        if not self.step:
            self.step = _step_of(op, result, *kept)


def _sum(pieces: list[Tensor], rows: Tensor) -> Tensor:
    """Add the same rows in pieces, which are not copied side by side first; may overwrite `rows`."""
    result = rows.to(torch.result_type(pieces[0], rows))
    row = 0
    for piece in pieces:
        stop = row + piece.shape[-2]
        result[:, :, row:stop] += piece
        row = stop
    return result


def _step_of(op: RowOp, result: Tensor, *seen: Tensor) -> int:
    """How many groups to compute at once, by the memory of the first ones."""
    rows = [(op.give, result), *((op.take, x) for x in seen)]
    most = max(per_group * x[:, :, :1].numel() * x.element_size() for per_group, x in rows)
    groups = max(1, _STEP_BYTES // most)
    return max(ROWS, groups // ROWS * ROWS) if isinstance(op, Convolution) else groups


class RowStream:
    """Processes one picture with a generator.

    Args:
        graph: The generator.
        height: Of the picture.

    Attributes:
        peak: Peak size of the kept rows in bytes.
    """

    def __init__(self, graph: RowGraph, height: int) -> None:
        values = [_Rows(height)]
        works: list[_Work] = []
        for number, node in enumerate(graph.nodes):
            inputs = [values[i] for i in node.inputs]
            heights = {rows.total for rows in inputs}
            if len(heights) != 1 or inputs[0].total % node.op.take:
                raise ValueError("the heights of the inputs do not fit")
            values.append(_Rows(inputs[0].total // node.op.take * node.op.give))
            works.append(_Work(number, node.op, inputs, values[-1], [], alone=False))
        uses = [0] * len(values)
        uses[graph.output] += 1
        for node in graph.nodes:
            for i in set(node.inputs):
                uses[i] += 1
        for node, work in zip(graph.nodes, works, strict=True):
            work.alone = uses[node.inputs[0]] == 1 and node.inputs[0] > 0
            for i in set(node.inputs):
                if i:
                    works[i - 1].readers.append(work)
        self._first = [w for n, w in zip(graph.nodes, works, strict=True) if 0 in n.inputs]
        self._values, self._output = values, values[graph.output]
        self._readers: dict[int, list[_Work]] = {
            id(value): [w for w in works if any(rows is value for rows in w.inputs)] for value in values
        }
        self.peak = 0

    def feed(self, rows: Tensor) -> Tensor | None:
        """Feed the next rows, `(1, C, n, W)`, and return the finished rows of the result."""
        self._values[0].append(rows)
        waiting = [(-work.number, work) for work in self._first]
        heapq.heapify(waiting)
        queued = {work.number for work in self._first}
        while waiting:
            _, work = heapq.heappop(waiting)
            queued.discard(work.number)
            count = work.ready()
            if count <= 0:
                continue
            work.run(count)
            self._let_go(work)
            for reader in (work, *work.readers):
                if reader.number not in queued:
                    queued.add(reader.number)
                    heapq.heappush(waiting, (-reader.number, reader))
        return self._take()

    def _let_go(self, work: _Work) -> None:
        for rows in work.inputs:
            if rows is not self._output:
                rows.drop_until(min(reader.first_needed(rows) for reader in self._readers[id(rows)]))

    def _take(self) -> Tensor | None:
        self.peak = max(self.peak, sum(rows.held for rows in self._values))
        rows = self._output
        first = min((r.first_needed(rows) for r in self._readers[id(rows)]), default=rows.made)
        start, stop = rows._start, min(first, rows.made)
        if stop <= start:
            return None
        result = rows.between(start, stop)
        rows.drop_until(stop)
        return result

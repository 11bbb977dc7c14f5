"""The algorithm, watched: one record after every phase, ending with the answer.

A trace drains the same generator that `attention(..., impl="tiled")` drains, for one head, and
copies what it sees: which slices moved, what is on the chip, and the counters. Nothing is computed
twice and nothing is drawn here.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator, Mapping

import torch
from torch import Tensor

from .checks import check_blocks, check_head
from .memory import Chip, Event, Hbm, Meter
from .passes import Order, Stage, algorithm, source
from .records import Held, Result, Step
from .tiles import Tiles

KEPT = {"fa2": ("O", "L"), "fa1": ("O", "m", "l"), "naive": ("O", "P")}
"""What the forward pass leaves in HBM for the backward pass."""

BY_QUERY = frozenset({"q", "o", "m", "l", "a", "do", "dq", "lse", "delta"})
BY_KEY = frozenset({"k", "v", "dk", "dv"})


def trace(
    q_TD: Tensor,
    k_SD: Tensor,
    v_SD: Tensor,
    *,
    block_q: int,
    block_k: int,
    causal: bool = False,
    order: Order = "fa2",
    backward: bool | Tensor = False,
) -> Iterator[Step]:
    """Computes attention of one head and yields a record after every phase.

    The scores are scaled by 1/√D. Half-precision inputs are computed as on tensor cores: operands
    in half precision, sums in float32.

    Args:
        q_TD: Queries, shape (T, D); float64, float32, bfloat16 or float16.
        k_SD: Keys, shape (S, D).
        v_SD: Values, shape (S, D).
        block_q: Queries per tile, at least 1; need not divide T.
        block_k: Keys per tile, at least 1; need not divide S.
        causal: Whether query t sees only the keys s ≤ t + S − T (bottom-right).
        order: "fa2" (queries outside), "fa1" (keys outside) or "naive" (by blocks of rows, the
            matrix written; `block_k` has no effect).
        backward: Whether the backward pass follows the forward pass. True takes the gradient of
            `out.sum()`; a tensor of shape (T, D) is the gradient of the output.

    Returns:
        A generator of steps; the counters start again at the backward pass. The last step has the
        phase "done" and carries the result.

    Raises:
        ValueError: If shapes, dtypes or devices disagree, a block is smaller than 1, or the order
            is unknown.
    """
    algorithm(order)
    check_head(q_TD, k_SD, v_SD)
    check_blocks(block_q, block_k)
    if q_TD.ndim != 2:
        raise ValueError(f"q must have 2 dimensions (T, D), one head, got {tuple(q_TD.shape)}.")
    grad = torch.ones_like(q_TD) if backward is True else backward
    if isinstance(grad, Tensor) and grad.shape != q_TD.shape:
        raise ValueError(
            f"backward must have the shape {tuple(q_TD.shape)} of the output, "
            f"got {tuple(grad.shape)}."
        )
    scale = 1 / math.sqrt(q_TD.shape[1])
    tiles = Tiles(len(q_TD), len(k_SD), block_q, block_k, causal, scale)
    inputs = {"Q": q_TD.detach()[None], "K": k_SD.detach()[None], "V": v_SD.detach()[None]}
    return _steps(order, tiles, inputs, grad.detach()[None] if isinstance(grad, Tensor) else None)


def answer(steps: Iterator[Step]) -> Result:
    """Runs a trace to its end and returns the result that its last step carries."""
    result = deque(steps, maxlen=1)[0].result
    assert result is not None
    return result


def count_steps(
    tiles: Tiles, order: Order = "fa2", *, backward: bool = False, half: bool = False
) -> int:
    """How many records a trace will yield, the last one included, without running it.

    Args:
        tiles: How the problem is cut.
        order: "fa2", "fa1" or "naive".
        backward: Whether the backward pass follows.
        half: Whether the inputs are bfloat16 or float16 (their dQ is converted at the end).
    """
    rows, cols = list(tiles.rows()), list(tiles.columns())
    if order == "naive":
        return 1 + 3 * len(rows) + backward * (5 * len(rows) + 2)
    skipped = sum(tiles.hides(r, c) for _, r in rows for _, c in cols)
    seen = len(rows) * len(cols) - skipped
    back = len(rows) + 2 * len(cols) + 8 * seen + skipped
    if order == "fa1":
        return 1 + len(rows) + len(cols) + 6 * seen + skipped + backward * back
    return 1 + 2 * len(rows) + 5 * seen + skipped + backward * (back + half * len(rows))


def _steps(
    order: Order, tiles: Tiles, inputs: Mapping[str, Tensor], grad: Tensor | None
) -> Iterator[Step]:
    forward = Recorder(order, "forward", tiles, inputs)
    hbm = yield from forward.steps(first=0)
    lse = hbm.L.data if order == "fa2" else None
    if order == "fa1":
        lse = hbm.m.data + torch.log(hbm.l.data)
    out, lse = hbm.O.data[0], None if lse is None else lse[0, :, 0]
    if grad is None:
        yield forward.done(Result(out, lse))
        return
    kept = {name: getattr(hbm, name).data for name in KEPT[order]}
    back = Recorder(order, "backward", tiles, {**inputs, **kept, "dO": grad})
    hbm = yield from back.steps(first=forward.count)
    yield back.done(Result(out, lse, hbm.dQ.data[0], hbm.dK.data[0], hbm.dV.data[0]))


class Recorder:
    """Runs one pass and turns each of its events into a step."""

    def __init__(
        self, order: Order, stage: Stage, tiles: Tiles, matrices: Mapping[str, Tensor]
    ) -> None:
        self._stage: Stage = stage
        self._meter = Meter(moves=[])
        self._hbm = Hbm(self._meter, **matrices)
        self._chip = Chip(self._meter, matrices["Q"].dtype)
        self._events = algorithm(order, stage)(self._hbm, self._chip, tiles)
        self._lines = source(order, stage).lines
        self._rows = [(rows.start, rows.stop) for _, rows in tiles.rows()]
        self._cols = [(cols.start, cols.stop) for _, cols in tiles.columns()]
        self._copies: dict[str, Tensor] = {}
        self._i: int | None = None
        self._j: int | None = None
        self.count = 0

    def steps(self, first: int) -> Generator[Step, None, Hbm]:
        """Yields the steps, numbered from `first`; returns HBM after the last."""
        self.count = first
        for event in self._events:
            yield self._step(event)
            self.count += 1
        return self._hbm

    def done(self, result: Result) -> Step:
        """The record that carries the answer; nothing moves in it."""
        last = max(last for _, last in self._lines.values())
        return self._record(("done", None, None), (last, last), result)

    def _step(self, event: Event) -> Step:
        return self._record(event, self._lines[event[0]], None)

    def _record(self, event: Event, lines: tuple[int, int], result: Result | None) -> Step:
        phase, i, j = event
        self._i, self._j = (self._i if i is None else i), (self._j if j is None else j)
        before, self._copies = self._copies, self._copy()
        moves, self._meter.moves = tuple(self._meter.moves or ()), []
        return Step(
            index=self.count,
            stage=self._stage,
            phase=phase,
            lines=lines,
            i=i,
            j=j,
            rows=None if i is None else self._rows[i],
            cols=None if j is None else self._cols[j],
            moves=moves,
            read=self._meter.read,
            written=self._meter.written,
            flops=self._meter.flops,
            chip=self._copies,
            before=before,
            held=tuple(self._hold(name, value) for name, value in self._copies.items()),
            result=result,
        )

    def _copy(self) -> dict[str, Tensor]:
        """Copies of what is on the chip; what did not change keeps the copy it has."""
        copies = {}
        for name, value in self._chip.held().items():
            new = value[0]
            old = self._copies.get(name, new[:0])
            same = old.dtype == new.dtype and old.shape == new.shape and torch.equal(old, new)
            copies[name] = old if same else new.clone()
        return copies

    def _hold(self, name: str, value: Tensor) -> Held:
        return Held(
            name=name,
            i=None if name in BY_KEY else self._i,
            j=None if name in BY_QUERY else self._j,
            bytes=value.numel() * value.element_size(),
        )

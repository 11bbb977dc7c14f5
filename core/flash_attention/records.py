"""What a trace yields: plain records, one for every phase of every tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from .memory import Move
from .passes import Stage


@dataclass(frozen=True)
class Held:
    """One block on the chip.

    Attributes:
        name: Its name in the algorithm's source ("q", "s", "dk", ...).
        i: Query block it belongs to, or None.
        j: Key block it belongs to, or None. The tile's own matrices (s, p, dp, ds) have both.
        bytes: Its size in bytes.
    """

    name: str
    i: int | None
    j: int | None
    bytes: int


@dataclass(frozen=True)
class Result:
    """What a traced run computed, for one head.

    Attributes:
        out: Attention output, shape (T, D), in the inputs' dtype.
        lse: Log-sum-exp of every row's scores, shape (T,), or None for the naive algorithm.
        grad_q: Gradient of the queries, shape (T, D), or None without the backward pass; in the
            inputs' dtype, like the other two.
        grad_k: Gradient of the keys, shape (S, D), or None.
        grad_v: Gradient of the values, shape (S, D), or None.
    """

    out: Tensor
    lse: Tensor | None
    grad_q: Tensor | None = None
    grad_k: Tensor | None = None
    grad_v: Tensor | None = None


@dataclass(frozen=True)
class Step:
    """One phase of one tile, just finished.

    Attributes:
        index: Number of the step, from 0.
        stage: "forward" or "backward".
        phase: What was done: a key of `source(order, stage).lines`, or "done" for the last record.
        lines: First and last line (from 1) of `source(order, stage).text` that did it.
        i: Query block, or None.
        j: Key block, or None.
        rows: Queries of the block, (first, one past the last), or None.
        cols: Keys of the block, likewise, or None.
        moves: Slices that crossed between HBM and the chip in this step.
        read: Bytes read from HBM so far in this stage.
        written: Bytes written to HBM so far in this stage.
        flops: FLOPs of the matrix products so far in this stage.
        chip: What is on the chip after the step, by name; each of shape (rows, columns).
        before: What was on the chip after the previous step of this stage.
        held: The same blocks as `chip`, with their numbers and sizes.
        result: The answer, in the last record only.
    """

    index: int
    stage: Stage
    phase: str
    lines: tuple[int, int]
    i: int | None
    j: int | None
    rows: tuple[int, int] | None
    cols: tuple[int, int] | None
    moves: tuple[Move, ...]
    read: int
    written: int
    flops: int
    chip: Mapping[str, Tensor]
    before: Mapping[str, Tensor]
    held: tuple[Held, ...]
    result: Result | None = None

    @property
    def chip_bytes(self) -> int:
        """On-chip bytes in use."""
        return sum(block.bytes for block in self.held)

    @property
    def rescale(self) -> Tensor | None:
        """Factor by which the accumulated O of each row fades in this step, shape (rows, 1).

        It is e^(m−m') in FlashAttention-2 and e^(m−m')·l/l' in the first; None in other phases.
        """
        return self.chip.get("a") if self.phase == "rescale" else None

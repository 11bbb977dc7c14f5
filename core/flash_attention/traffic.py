"""Bytes and FLOPs of attention as formulas, equal to what a trace counts.

With T queries, S keys, head dimension D, elements of e bytes and sums of w bytes (w = 4 for half
precision), and blocks of B_q queries, every query block meets ⌈S/B_k⌉ key blocks and

    naive   reads and writes       e(4TS + 2TD + 2SD)
    FA1     per key block, all of Q, O, m, l in and O, m, l out:
                                   e(2SD + TD) + 2wT + ⌈S/B_k⌉·T·(3eD + 4w)
    FA2     per query block, all of K and V in; O and L out once:
                                   e(2TD + 2SD·⌈T/B_q⌉) + wT

(forward, for one head). Under the causal mask tiles that are wholly hidden are skipped by FA1 and
FA2, so the counts run over the tiles that are left. FLOPs are those of the matrix products, whole
tiles.

References:
    FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness (Dao et al., 2022),
    section 3.2, theorem 2 and theorem 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from .checks import DTYPES, check_blocks
from .memory import HALVES
from .passes import Order, Stage, algorithm


@dataclass(frozen=True)
class Problem:
    """One call of attention.

    Attributes:
        queries: Number of queries, T.
        keys: Number of keys, S.
        head_dim: Columns of a head, D.
        heads: Heads times batch.
        dtype: Of the inputs and the output.
        causal: Whether the bottom-right causal mask applies.

    Raises:
        ValueError: If a size is smaller than 1 or the dtype is not a floating-point type we take.
    """

    queries: int
    keys: int
    head_dim: int
    heads: int = 1
    dtype: torch.dtype = torch.bfloat16
    causal: bool = False

    def __post_init__(self) -> None:
        for name in ("queries", "keys", "head_dim", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.dtype not in DTYPES:
            raise ValueError(
                f"dtype must be float16, bfloat16, float32 or float64, got {self.dtype}."
            )


@dataclass(frozen=True)
class Traffic:
    """What one pass moves and computes, over all heads.

    Attributes:
        read: Bytes from HBM to the chip.
        written: Bytes from the chip to HBM.
        flops: FLOPs of the matrix products.
        chip_bytes: On-chip bytes in use when a full tile (for naive: a block of rows) is computed.
    """

    read: int
    written: int
    flops: int
    chip_bytes: int

    @property
    def total(self) -> int:
        """Bytes moved either way."""
        return self.read + self.written

    @property
    def intensity(self) -> float:
        """FLOPs per byte moved."""
        return self.flops / self.total


def traffic(
    problem: Problem,
    order: Order = "fa2",
    *,
    block_q: int = 128,
    block_k: int = 128,
    stage: Stage = "forward",
) -> Traffic:
    """Bytes and FLOPs of one pass.

    Args:
        problem: Lengths, heads, dtype and mask.
        order: "fa2", "fa1" or "naive" (whose bytes do not depend on the blocks).
        block_q: Queries per tile, at least 1.
        block_k: Keys per tile, at least 1.
        stage: "forward", or "backward" for the backward pass alone.

    Raises:
        ValueError: If a block is smaller than 1, or the order or stage is unknown.
    """
    algorithm(order, stage)
    check_blocks(block_q, block_k)
    block_q, block_k = min(block_q, problem.queries), min(block_k, problem.keys)
    read, written, flops = _FORMULAS[order, stage](_terms(problem, block_q, block_k))
    if order == "naive":
        block_k = problem.keys
    on_chip = footprint(block_q, block_k, problem.head_dim, problem.dtype, order, stage)
    heads = problem.heads
    return Traffic(heads * read, heads * written, heads * flops, on_chip)


def footprint(
    block_q: int,
    block_k: int,
    head_dim: int,
    dtype: torch.dtype,
    order: Order = "fa2",
    stage: Stage = "forward",
) -> int:
    """On-chip bytes that a full tile needs: operands, sums and softmax state of one head.

    S and P share their memory, and so do dP and dS. For "naive", `block_k` is the number of keys.
    """
    r, c, d = block_q, block_k, head_dim
    e, w = dtype.itemsize, wide_bytes(dtype)
    if order == "naive" and stage == "forward":
        return max(e * r * d + w * r * c, 2 * w * r * c, e * r * c + w * r * d)
    if order == "naive":
        return max(3 * w * r * c, e * r * d + w * r * c, e * (r * c + r * d), e * r * c + w * r * d)
    if stage == "forward":  # q, k, v; o; m, l, a; P
        return e * d * (r + 2 * c) + w * (r * d + 3 * r + r * c)
    operands = e * d * (2 * r + 2 * c)  # q, dO, k, v
    sums = w * (2 * c * d + r * d + 2 * r * c)  # dK, dV; dQ; P, dS
    state = e * r * d + 3 * w * r if order == "fa1" else 2 * w * r  # O, m, l, D or L, D
    return operands + sums + state


def wide_bytes(dtype: torch.dtype) -> int:
    """Bytes of the sums: 4 for half precision, otherwise as the inputs."""
    return 4 if dtype in HALVES else dtype.itemsize


@dataclass(frozen=True)
class _Terms:
    """What the formulas of one head are made of."""

    T: int
    S: int
    D: int
    e: int  # bytes of an element
    w: int  # bytes of a sum
    key_rows: int  # rows of K that pass, summed over the query blocks
    query_rows: int  # rows of Q that pass, summed over the key blocks
    scores: int  # scores computed, whole tiles


def _terms(problem: Problem, block_q: int, block_k: int) -> _Terms:
    T, S = problem.queries, problem.keys
    starts = np.arange(0, T, block_q)
    rows = np.minimum(starts + block_q, T) - starts
    seen = np.clip(starts + rows + S - T, 0, S) if problem.causal else np.full_like(rows, S)
    tiles = -(-seen // block_k)
    keys = np.minimum(tiles * block_k, S)
    return _Terms(
        T=T,
        S=S,
        D=problem.head_dim,
        e=problem.dtype.itemsize,
        w=wide_bytes(problem.dtype),
        key_rows=int(keys.sum()),
        query_rows=int((rows * tiles).sum()),
        scores=int((rows * keys).sum()),
    )


Counts = tuple[int, int, int]
"""Bytes read, bytes written, FLOPs."""


def _naive_forward(t: _Terms) -> Counts:
    matrix, q, k = t.T * t.S, t.T * t.D, t.S * t.D
    return t.e * (2 * matrix + q + 2 * k), t.e * (2 * matrix + q), 4 * matrix * t.D


def _naive_backward(t: _Terms) -> Counts:
    matrix, q, k = t.T * t.S, t.T * t.D, t.S * t.D
    read, written = 5 * matrix + 3 * q + 2 * k, 2 * matrix + q + 2 * k
    return t.e * read, t.e * written, 8 * matrix * t.D


def _fa1_forward(t: _Terms) -> Counts:
    start = t.e * t.T * t.D + 2 * t.w * t.T  # O, m and l are cleared
    read = 2 * t.e * t.S * t.D + t.query_rows * (2 * t.e * t.D + 2 * t.w)
    return read, start + t.query_rows * (t.e * t.D + 2 * t.w), 4 * t.scores * t.D


def _fa1_backward(t: _Terms) -> Counts:
    q, k = t.e * t.T * t.D, t.e * t.S * t.D
    read = 2 * k + t.query_rows * (4 * t.e * t.D + 2 * t.w)
    return read, q + t.query_rows * t.e * t.D + 2 * k, 10 * t.scores * t.D


def _fa2_forward(t: _Terms) -> Counts:
    q = t.e * t.T * t.D
    return q + 2 * t.e * t.key_rows * t.D, q + t.w * t.T, 4 * t.scores * t.D


def _fa2_backward(t: _Terms) -> Counts:
    q, k, dq_sum = t.e * t.T * t.D, t.e * t.S * t.D, t.w * t.T * t.D
    read = 2 * q + 2 * k + t.query_rows * (2 * t.e * t.D + 2 * t.w + t.w * t.D)
    written = t.w * t.T + dq_sum + t.query_rows * t.w * t.D + 2 * k
    if t.w > t.e:  # dQ is converted from the precision of its sums
        read, written = read + dq_sum, written + q
    return read, written, 10 * t.scores * t.D


_FORMULAS: dict[tuple[str, str], Callable[[_Terms], Counts]] = {
    ("naive", "forward"): _naive_forward,
    ("naive", "backward"): _naive_backward,
    ("fa1", "forward"): _fa1_forward,
    ("fa1", "backward"): _fa1_backward,
    ("fa2", "forward"): _fa2_forward,
    ("fa2", "backward"): _fa2_backward,
}

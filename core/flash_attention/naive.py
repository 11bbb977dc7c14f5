"""Attention as the textbook has it: three passes, each through the whole T×S matrix in HBM.

    S = scale·QKᵀ (written),  P = softmax S (S read, P written),  O = PV (P read),

and back, with the P that was kept,

    dV = PᵀdO,  dP = dO·Vᵀ,  dS = P∘(dP − rowsum(P∘dP)),  dQ = scale·dS·K,  dK = scale·dSᵀQ.

Work goes by blocks of rows so that the passes can be watched. Every product reads each of its
operands once: K and V stream through the cache, and sums over rows stay in it, so the bytes are the
fewest that three separate kernels can move. Nothing is skipped under the causal mask, and S, P, dP
and dS are stored in the inputs' dtype: logits beyond 65504 overflow float16 here, and the row turns
to NaN.

References:
    FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness (Dao et al., 2022),
    algorithm 0 (forward) and algorithm 3 (backward).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .memory import Chip, Event, Hbm
from .tiles import Tiles, divisor, finite

EVERYTHING = slice(None)


def forward(hbm: Hbm, chip: Chip, tiles: Tiles) -> Iterator[Event]:
    """Reads Q, K, V; writes S, P and O. Yields after every block of rows of every pass."""
    hbm.S, hbm.P = hbm.Q.like("S", tiles.keys), hbm.Q.like("P", tiles.keys)
    hbm.O = hbm.Q.like("O")
    keys = hbm.K[EVERYTHING]
    for i, rows in tiles.rows():
        chip.q = hbm.Q[rows]
        chip.s = tiles.mask(chip.matmul(chip.q, keys.mT, tiles.scale), rows, slice(0, tiles.keys))
        hbm.S[rows] = chip.s
        yield "scores", i, None
    chip.evict("q")
    for i, rows in tiles.rows():
        chip.s = hbm.S[rows].to(chip.wide)
        p = torch.exp(chip.s - finite(chip.s.amax(-1, keepdim=True)))
        chip.p = p / divisor(p.sum(-1, keepdim=True))
        hbm.P[rows] = chip.p
        yield "softmax", i, None
    chip.evict("s")
    values = hbm.V[EVERYTHING]
    for i, rows in tiles.rows():
        chip.p = hbm.P[rows]
        chip.o = chip.matmul(chip.p, values)
        hbm.O[rows] = chip.o
        yield "output", i, None


def backward(hbm: Hbm, chip: Chip, tiles: Tiles) -> Iterator[Event]:
    """Reads Q, K, V, P, dO; writes dP, dS, dQ, dK, dV. Yields after every block of every pass."""
    hbm.dP, hbm.dS = hbm.P.like("dP"), hbm.P.like("dS")
    hbm.dQ, hbm.dK, hbm.dV = hbm.Q.like("dQ"), hbm.K.like("dK"), hbm.V.like("dV")
    dk, dv = torch.zeros(()), torch.zeros(())
    for i, rows in tiles.rows():
        chip.p, chip.do = hbm.P[rows], hbm.dO[rows]
        dv = dv + chip.matmul(chip.p.mT, chip.do)
        yield "grad_v", i, None
    hbm.dV[EVERYTHING] = dv
    yield "write_v", None, None
    chip.evict("p")
    values = hbm.V[EVERYTHING]
    for i, rows in tiles.rows():
        chip.do = hbm.dO[rows]
        chip.dp = chip.matmul(chip.do, values.mT)
        hbm.dP[rows] = chip.dp
        yield "grad_p", i, None
    chip.evict("do")
    for i, rows in tiles.rows():
        chip.p, chip.dp = hbm.P[rows].to(chip.wide), hbm.dP[rows].to(chip.wide)
        chip.ds = chip.p * (chip.dp - (chip.p * chip.dp).sum(-1, keepdim=True))
        hbm.dS[rows] = chip.ds
        yield "grad_scores", i, None
    chip.evict("p", "dp")
    keys = hbm.K[EVERYTHING]
    for i, rows in tiles.rows():
        chip.ds = hbm.dS[rows]
        chip.dq = chip.matmul(chip.ds, keys, tiles.scale)
        hbm.dQ[rows] = chip.dq
        yield "grad_q", i, None
    chip.evict("dq")
    for i, rows in tiles.rows():
        chip.ds, chip.q = hbm.dS[rows], hbm.Q[rows]
        dk = dk + chip.matmul(chip.ds.mT, chip.q, tiles.scale)
        yield "grad_k", i, None
    hbm.dK[EVERYTHING] = dk
    yield "write_k", None, None

"""FlashAttention-2: queries outside, keys inside, the output written once.

    S = scale·QKᵀ,  m' = max(m, rowmax S),  P = e^(S−m'),  a = e^(m−m'),
    l' = a·l + rowsum P,  o' = a·o + PV;        at the end  O = o/l,  L = m + ln l.

Going back, P is computed again from L alone, and with D = rowsum(dO∘O):

    dV = PᵀdO,  dP = dO·Vᵀ,  dS = P∘(dP − D),  dQ = scale·dS·K,  dK = scale·dSᵀQ.

Nothing of size T×S is ever written. Here keys are outside: a block of dK and dV stays on chip while
the queries pass, and dQ is summed in HBM, in float32 where the inputs are of half precision.

References:
    FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning (Dao, 2023),
    algorithm 1 (forward) and algorithm 2 (backward).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .memory import HALVES, Chip, Event, Hbm
from .tiles import Tiles, divisor, finite


def forward(hbm: Hbm, chip: Chip, tiles: Tiles) -> Iterator[Event]:
    """Reads Q, K, V; writes O and the log-sum-exp L. Yields after every phase."""
    hbm.O, hbm.L = hbm.Q.like("O"), hbm.Q.like("L", 1, chip.wide)
    for i, rows in tiles.rows():
        chip.q = hbm.Q[rows]
        chip.o = torch.zeros_like(chip.q, dtype=chip.wide)
        chip.l = torch.zeros_like(chip.o[..., :1])
        chip.m = torch.full_like(chip.l, -torch.inf)
        yield "load_q", i, None
        for j, cols in tiles.columns():
            if tiles.hides(rows, cols):
                yield "skip", i, j
                continue
            chip.k, chip.v = hbm.K[cols], hbm.V[cols]
            yield "load_kv", i, j
            chip.s = tiles.mask(chip.matmul(chip.q, chip.k.mT, tiles.scale), rows, cols)
            yield "scores", i, j
            m_old, chip.m = chip.m, torch.maximum(chip.m, chip.s.amax(-1, keepdim=True))
            chip.a = torch.exp(m_old - finite(chip.m))
            chip.p = chip.s.sub_(finite(chip.m)).exp_()  # in the memory of S
            chip.evict("s")
            yield "softmax", i, j
            chip.l = chip.a * chip.l + chip.p.sum(-1, keepdim=True)
            chip.o *= chip.a
            yield "rescale", i, j
            chip.o += chip.matmul(chip.p, chip.v)
            yield "accumulate", i, j
            chip.evict("p", "a", "k", "v")
        chip.o /= divisor(chip.l)
        hbm.O[rows], hbm.L[rows] = chip.o, chip.m + torch.log(chip.l)
        yield "write", i, None
        chip.evict("q", "m", "l", "o")


def backward(hbm: Hbm, chip: Chip, tiles: Tiles) -> Iterator[Event]:
    """Reads Q, K, V, O, dO, L; writes dQ, dK, dV. Yields after every phase."""
    hbm.D, hbm.dQ_sum = hbm.Q.like("D", 1, chip.wide), hbm.Q.like("dQ_sum", dtype=chip.wide)
    hbm.dK, hbm.dV = hbm.K.like("dK"), hbm.V.like("dV")
    for i, rows in tiles.rows():
        chip.o, chip.do = hbm.O[rows], hbm.dO[rows]
        chip.delta = (chip.do.to(chip.wide) * chip.o).sum(-1, keepdim=True)
        hbm.D[rows], hbm.dQ_sum[rows] = chip.delta, 0.0
        yield "delta", i, None
        chip.evict("o", "do", "delta")
    for j, cols in tiles.columns():
        chip.k, chip.v = hbm.K[cols], hbm.V[cols]
        chip.dk = torch.zeros_like(chip.k, dtype=chip.wide)
        chip.dv = torch.zeros_like(chip.dk)
        yield "load_kv", None, j
        for i, rows in tiles.rows():
            if tiles.hides(rows, cols):
                yield "skip", i, j
                continue
            chip.q, chip.do = hbm.Q[rows], hbm.dO[rows]
            chip.lse, chip.delta = hbm.L[rows], hbm.D[rows]
            yield "load_q", i, j
            chip.s = tiles.mask(chip.matmul(chip.q, chip.k.mT, tiles.scale), rows, cols)
            yield "scores", i, j
            chip.p = chip.s.sub_(finite(chip.lse)).exp_()  # in the memory of S
            chip.evict("s")
            yield "recompute", i, j
            chip.dv += chip.matmul(chip.p.mT, chip.do)
            yield "grad_v", i, j
            chip.dp = chip.matmul(chip.do, chip.v.mT)
            yield "grad_p", i, j
            chip.ds = chip.dp.sub_(chip.delta).mul_(chip.p)  # in the memory of dP
            chip.evict("dp")
            yield "grad_scores", i, j
            chip.dq = hbm.dQ_sum[rows] + chip.matmul(chip.ds, chip.k, tiles.scale)
            hbm.dQ_sum[rows] = chip.dq
            yield "grad_q", i, j
            chip.dk += chip.matmul(chip.ds.mT, chip.q, tiles.scale)
            yield "grad_k", i, j
            chip.evict("q", "do", "lse", "delta", "p", "ds", "dq")
        hbm.dK[cols], hbm.dV[cols] = chip.dk, chip.dv
        yield "write", None, j
        chip.evict("k", "v", "dk", "dv")
    hbm.dQ = hbm.dQ_sum
    if chip.dtype in HALVES:
        hbm.dQ = hbm.Q.like("dQ")
        for i, rows in tiles.rows():
            chip.dq = hbm.dQ_sum[rows]
            hbm.dQ[rows] = chip.dq
            yield "convert", i, None

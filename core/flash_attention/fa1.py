"""FlashAttention, the first: keys outside, queries inside.

The same tiles and the same running softmax as `core.flash_attention.fa2`, in the other order: a
block of K and V stays on chip while every block of queries passes. So O, m and l cannot stay: they
travel to HBM and back for every tile, O normalised each time,

    O' = (l·a·O + PV) / l',   a = e^(m−m').

Everything but m and l lives in HBM in the inputs' dtype, as the paper's algorithms have it; in half
precision O and dQ are therefore rounded once per key block, where FlashAttention-2 rounds them
once. (The published CUDA kernel kept a float32 copy of O for that reason.)

References:
    FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness (Dao et al., 2022),
    algorithm 1 (forward) and algorithm 4 (backward).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from .memory import Chip, Event, Hbm
from .tiles import Tiles, divisor, finite


def forward(hbm: Hbm, chip: Chip, tiles: Tiles) -> Iterator[Event]:
    """Reads Q, K, V; writes O, m and l. Yields after every phase."""
    hbm.O = hbm.Q.like("O")
    hbm.m, hbm.l = hbm.Q.like("m", 1, chip.wide), hbm.Q.like("l", 1, chip.wide)
    for i, rows in tiles.rows():
        hbm.O[rows], hbm.m[rows], hbm.l[rows] = 0.0, -torch.inf, 0.0
        yield "clear", i, None
    for j, cols in tiles.columns():
        chip.k, chip.v = hbm.K[cols], hbm.V[cols]
        yield "load_kv", None, j
        for i, rows in tiles.rows():
            if tiles.hides(rows, cols):
                yield "skip", i, j
                continue
            chip.q, chip.o = hbm.Q[rows], hbm.O[rows].to(chip.wide, copy=True)
            chip.m, chip.l = hbm.m[rows].clone(), hbm.l[rows].clone()
            yield "load_q", i, j
            chip.s = tiles.mask(chip.matmul(chip.q, chip.k.mT, tiles.scale), rows, cols)
            yield "scores", i, j
            m_old, chip.m = chip.m, torch.maximum(chip.m, chip.s.amax(-1, keepdim=True))
            chip.a = torch.exp(m_old - finite(chip.m))
            chip.p = chip.s.sub_(finite(chip.m)).exp_()  # in the memory of S
            chip.evict("s")
            yield "softmax", i, j
            l_old, chip.l = chip.l, chip.a * chip.l + chip.p.sum(-1, keepdim=True)
            chip.a *= l_old / divisor(chip.l)
            chip.o *= chip.a
            yield "rescale", i, j
            chip.o += chip.matmul(chip.p, chip.v) / divisor(chip.l)
            yield "accumulate", i, j
            hbm.O[rows], hbm.m[rows], hbm.l[rows] = chip.o, chip.m, chip.l
            yield "write", i, j
            chip.evict("q", "o", "m", "l", "a", "p")
        chip.evict("k", "v")


def backward(hbm: Hbm, chip: Chip, tiles: Tiles) -> Iterator[Event]:
    """Reads Q, K, V, O, dO, m, l; writes dQ, dK, dV. Yields after every phase."""
    hbm.dQ, hbm.dK, hbm.dV = hbm.Q.like("dQ"), hbm.K.like("dK"), hbm.V.like("dV")
    for i, rows in tiles.rows():
        hbm.dQ[rows] = 0.0
        yield "clear", i, None
    for j, cols in tiles.columns():
        chip.k, chip.v = hbm.K[cols], hbm.V[cols]
        chip.dk = torch.zeros_like(chip.k, dtype=chip.wide)
        chip.dv = torch.zeros_like(chip.dk)
        yield "load_kv", None, j
        for i, rows in tiles.rows():
            if tiles.hides(rows, cols):
                yield "skip", i, j
                continue
            chip.q, chip.o, chip.do = hbm.Q[rows], hbm.O[rows], hbm.dO[rows]
            chip.m, chip.l = hbm.m[rows], hbm.l[rows]
            yield "load_q", i, j
            chip.s = tiles.mask(chip.matmul(chip.q, chip.k.mT, tiles.scale), rows, cols)
            yield "scores", i, j
            chip.p = chip.s.sub_(finite(chip.m)).exp_().div_(divisor(chip.l))
            chip.evict("s")
            yield "recompute", i, j
            chip.dv += chip.matmul(chip.p.mT, chip.do)
            yield "grad_v", i, j
            chip.dp = chip.matmul(chip.do, chip.v.mT)
            yield "grad_p", i, j
            chip.delta = (chip.do.to(chip.wide) * chip.o).sum(-1, keepdim=True)
            chip.ds = chip.dp.sub_(chip.delta).mul_(chip.p)  # in the memory of dP
            chip.evict("dp")
            yield "grad_scores", i, j
            chip.dq = hbm.dQ[rows] + chip.matmul(chip.ds, chip.k, tiles.scale)
            hbm.dQ[rows] = chip.dq
            yield "grad_q", i, j
            chip.dk += chip.matmul(chip.ds.mT, chip.q, tiles.scale)
            yield "grad_k", i, j
            chip.evict("q", "o", "do", "m", "l", "p", "delta", "ds", "dq")
        hbm.dK[cols], hbm.dV[cols] = chip.dk, chip.dv
        yield "write", None, j
        chip.evict("k", "v", "dk", "dv")

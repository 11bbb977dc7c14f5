"""FlashAttention-2 in torch, as a differentiable function: what `impl="tiled"` runs.

Memory is linear in the lengths: beside the inputs and outputs there is one tile, and the backward
pass computes the tiles again from the log-sum-exp.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .passes import run
from .tiles import Tiles

TILE_ELEMENTS = {"cpu": 2**18, "cuda": 2**24}
"""Score elements per tile over all heads: 1 MiB of float32 stays in a CPU core's cache; a GPU needs
larger matrices to be busy."""


def block_size(heads: int, device: str) -> int:
    """Rows and columns of a tile: the power of two from 64 to 1024 whose tiles fit the cache."""
    block = 1024
    while block > 64 and heads * block * block > TILE_ELEMENTS.get(device, 2**18):
        block //= 2
    return block


def tiled(q_BHTD: Tensor, k_BHSD: Tensor, v_BHSD: Tensor, *, causal: bool, scale: float) -> Tensor:
    """Attention tile by tile, shape (B, H, T, D); the matrix is never written."""
    batch, heads, queries, _ = q_BHTD.shape
    block = block_size(batch * heads, q_BHTD.device.type)
    tiles = Tiles(queries, k_BHSD.shape[2], block, block, causal, scale)
    q, k, v = (each.flatten(0, 1) for each in (q_BHTD, k_BHSD, v_BHSD))
    out: Tensor = TiledAttention.apply(q, k, v, tiles)  # type: ignore[no-untyped-call]
    return out.view(q_BHTD.shape)


class TiledAttention(torch.autograd.Function):
    """The forward and backward passes of `core.flash_attention.fa2`, over (heads, length, D)."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, tiles: Tiles) -> Tensor:
        """Keeps O and the log-sum-exp for the way back, nothing larger."""
        hbm = run("fa2", "forward", tiles, Q=q, K=k, V=v)
        ctx.save_for_backward(q, k, v, hbm.O.data, hbm.L.data)
        ctx.tiles = tiles
        out: Tensor = hbm.O.data
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of q, k and v."""
        q, k, v, out, lse = ctx.saved_tensors
        hbm = run("fa2", "backward", ctx.tiles, Q=q, K=k, V=v, O=out, L=lse, dO=grad)
        return hbm.dQ.data, hbm.dK.data, hbm.dV.data, None

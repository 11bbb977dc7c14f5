"""Attention as its definition, in a few lines: the specification every other implementation meets.

    O = softmax(scale·QKᵀ) V

The T×S matrix is written, in the inputs' dtype, and autograd goes back through it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def visible(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """The causal mask, bottom-right: query t sees key s if and only if s ≤ t + S − T.

    Args:
        queries: Number of queries, T.
        keys: Number of keys, S.
        device: Where the mask lives.

    Returns:
        Booleans of shape (T, S), True where the key is seen.
    """
    last_seen = torch.arange(queries, device=device)[:, None] + keys - queries
    return torch.arange(keys, device=device) <= last_seen


def reference(
    q_BHTD: Tensor, k_BHSD: Tensor, v_BHSD: Tensor, *, causal: bool, scale: float
) -> Tensor:
    """Attention by the whole matrix, shape (B, H, T, D); differentiable by autograd."""
    mask_TS = visible(q_BHTD.shape[-2], k_BHSD.shape[-2], q_BHTD.device) if causal else None
    return attend(q_BHTD, k_BHSD, v_BHSD, mask_TS, scale)


def attend(
    q_TD: Tensor, k_SD: Tensor, v_SD: Tensor, mask_TS: Tensor | None, scale: float
) -> Tensor:
    """Attention under any mask of shape (T, S) (True is seen); rows that see nothing give 0."""
    scores_TS = (q_TD @ k_SD.mT) * scale
    if mask_TS is None:
        return scores_TS.softmax(-1) @ v_SD
    weights_TS = scores_TS.masked_fill(~mask_TS, -torch.inf).softmax(-1)
    return weights_TS.masked_fill(~mask_TS, 0.0) @ v_SD  # a row that sees nothing was NaN


def exact_prefix(
    q_TD: Tensor, k_SD: Tensor, v_SD: Tensor, *, rows: slice, seen: int, causal: bool
) -> Tensor:
    """Attention of some queries over the first keys alone, in float64.

    After a tile, o/l of its rows is attention over the keys seen so far; this is what it should be.

    Args:
        q_TD: Queries, shape (T, D), as given to `trace`.
        k_SD: Keys, shape (S, D).
        v_SD: Values, shape (S, D).
        rows: The queries to compute.
        seen: How many keys, from the first, are taken.
        causal: Whether the bottom-right causal mask of the whole T×S matrix applies.

    Returns:
        Float64 tensor of shape (number of rows, D).
    """
    mask_TS = visible(len(q_TD), len(k_SD), q_TD.device)[rows, :seen] if causal else None
    q, k, v = q_TD[rows].double(), k_SD[:seen].double(), v_SD[:seen].double()
    return attend(q, k, v, mask_TS, 1 / math.sqrt(q.shape[-1]))

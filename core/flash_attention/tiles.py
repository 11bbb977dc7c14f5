"""The score matrix cut into tiles, and the two guards a running softmax needs.

Queries are cut into blocks of `block_q` rows (index i), keys into blocks of `block_k` (index j);
the last block of either is shorter where the length is not a multiple.

The causal convention, everywhere in `core.flash_attention`, is bottom-right, as in flash-attn ≥
2.1: with T queries and S keys, query t sees key s if and only if s ≤ t + S − T. The last query sees
every key; for T = S it is the usual triangle; for T > S the first T − S queries see nothing and
their output is zero. (Torch's `scaled_dot_product_attention(is_causal=True)` is top-left, s ≤ t,
and agrees only where T = S.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tiles:
    """How one attention problem is cut.

    Attributes:
        queries: Number of queries, T.
        keys: Number of keys, S.
        block_q: Queries per tile.
        block_k: Keys per tile.
        causal: Whether query t sees only the keys s ≤ t + S − T.
        scale: Factor of the scores, usually 1/√(head dimension).
    """

    queries: int
    keys: int
    block_q: int
    block_k: int
    causal: bool
    scale: float

    def rows(self) -> Iterator[tuple[int, slice]]:
        """The query blocks: their number and the rows they span."""
        return _cut(self.queries, self.block_q)

    def columns(self) -> Iterator[tuple[int, slice]]:
        """The key blocks: their number and the columns they span."""
        return _cut(self.keys, self.block_k)

    def hides(self, rows: slice, cols: slice) -> bool:
        """Whether the causal mask hides the whole tile, so that it need not be computed."""
        return self.causal and cols.start > rows.stop - 1 + self.keys - self.queries

    def mask(self, scores: Tensor, rows: slice, cols: slice) -> Tensor:
        """Sets the hidden scores of a tile to −∞, in place."""
        last_seen = rows.start + self.keys - self.queries
        if self.causal and cols.stop - 1 > last_seen:
            seen = torch.arange(last_seen, last_seen + rows.stop - rows.start, device=scores.device)
            column = torch.arange(cols.start, cols.stop, device=scores.device)
            scores.masked_fill_(column > seen[:, None], -torch.inf)
        return scores


def finite(peak: Tensor) -> Tensor:
    """`peak` with −∞ (a row that saw no key) replaced by 0, so that e^(−∞ − peak) is 0, not NaN."""
    return peak.masked_fill(peak == -torch.inf, 0.0)


def divisor(total: Tensor) -> Tensor:
    """`total` with 0 (a row that saw no key) replaced by 1, so that its output is 0, not NaN."""
    return total.masked_fill(total == 0, 1.0)


def _cut(length: int, block: int) -> Iterator[tuple[int, slice]]:
    for index, start in enumerate(range(0, length, block)):
        yield index, slice(start, min(start + block, length))

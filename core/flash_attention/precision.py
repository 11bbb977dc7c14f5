"""How rounding grows: the same attention in three precisions and three orders, against float64.

The inputs are first rounded to each precision and the float64 answer is computed from the rounded
inputs, so that the error is the algorithm's alone. Naive attention rounds S, P and O; the first
FlashAttention rounds P, and O once per key block; FlashAttention-2 rounds P and O once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .passes import Order
from .reference import exact_prefix
from .trace import answer, trace

PRECISIONS = (torch.float32, torch.bfloat16, torch.float16)
ORDERS: tuple[Order, ...] = ("naive", "fa1", "fa2")


@dataclass(frozen=True)
class RoundingError:
    """Error of one run.

    Attributes:
        order: "naive", "fa1" or "fa2".
        dtype: Of the inputs.
        largest: Largest absolute error of the output; NaN if the output is not finite.
        rms: Root of the mean squared error; likewise.
        finite: Whether every output is finite.
    """

    order: Order
    dtype: torch.dtype
    largest: float
    rms: float
    finite: bool


def rounding_errors(
    q_TD: Tensor,
    k_SD: Tensor,
    v_SD: Tensor,
    *,
    block_q: int,
    block_k: int,
    causal: bool = False,
    dtypes: Sequence[torch.dtype] = PRECISIONS,
) -> tuple[RoundingError, ...]:
    """Runs every order in every precision on the same inputs.

    Args:
        q_TD: Queries of one head, shape (T, D), best in float64.
        k_SD: Keys, shape (S, D).
        v_SD: Values, shape (S, D).
        block_q: Queries per tile.
        block_k: Keys per tile.
        causal: Whether the bottom-right causal mask applies.
        dtypes: The precisions.

    Returns:
        One error per precision and order, precision by precision.

    Raises:
        ValueError: As `trace` does.
    """
    errors = []
    for dtype in dtypes:
        q, k, v = q_TD.to(dtype), k_SD.to(dtype), v_SD.to(dtype)
        exact = exact_prefix(q, k, v, rows=slice(None), seen=len(k), causal=causal)
        for order in ORDERS:
            steps = trace(q, k, v, block_q=block_q, block_k=block_k, causal=causal, order=order)
            errors.append(_error(order, answer(steps).out, exact))
    return tuple(errors)


def _error(order: Order, out: Tensor, exact: Tensor) -> RoundingError:
    off = (out.double() - exact).abs()
    return RoundingError(
        order=order,
        dtype=out.dtype,
        largest=off.max().item(),
        rms=off.square().mean().sqrt().item(),
        finite=bool(out.isfinite().all()),
    )

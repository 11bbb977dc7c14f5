"""Exact attention that never writes the N×N matrix, under one name and three implementations.

    O = softmax(scale·QKᵀ) V

`reference` is the definition, `tiled` the algorithm in torch, `triton` the same algorithm as GPU
kernels. All are exact: they differ by rounding alone.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Literal

import torch
from torch import Tensor

from .checks import check_attention, check_scale
from .reference import reference
from .tiled import tiled

Impl = Literal["auto", "reference", "tiled", "triton"]

TRITON_HEAD_DIMS = (16, 256)
TRITON_CAPABILITY = (8, 0)
"""Oldest compute capability: before Ampere, Triton's products run without tensor cores."""


def attention(
    q_BHTD: Tensor,
    k_BHSD: Tensor,
    v_BHSD: Tensor,
    *,
    causal: bool = False,
    scale: float | None = None,
    impl: Impl = "auto",
) -> Tensor:
    """Scaled dot-product attention, differentiable.

    The causal convention is bottom-right, as in flash-attn ≥ 2.1: with T queries and S keys, query
    t sees key s if and only if s ≤ t + S − T. (Torch's SDPA with `is_causal=True` is top-left; the
    two agree only where T = S.) A query that sees no key, where T > S, gets zeros, and so do its
    gradients.

    Values that are not finite are not refused. A NaN or +∞ among the scores of a row makes the row
    NaN, as in softmax; a row whose scores are all −∞ counts as fully masked. Under a causal mask a
    NaN may also reach rows of its own tile that do not see it, since 0 · NaN is NaN. In half
    precision `tiled` and `triton` keep scores in float32, so that logits beyond 65504 stay finite
    where `reference`, which stores them in float16, turns to NaN.

    Args:
        q_BHTD: Queries, shape (B, H, T, D); float16, bfloat16, float32 or float64.
        k_BHSD: Keys, shape (B, H, S, D).
        v_BHSD: Values, shape (B, H, S, D).
        causal: Whether the causal mask applies.
        scale: Factor of the scores, positive; 1/√D by default.
        impl: "reference" writes the matrix; "tiled" is FlashAttention-2 in torch, linear memory,
            any device; "triton" is our GPU kernel, for CUDA tensors (Ampere or newer) of float16,
            bfloat16 or float32 and head dimensions from 16 to 256; "auto" is triton where it can
            run, tiled elsewhere (`choose_impl` says which).

    Returns:
        Output of shape (B, H, T, D), in the inputs' dtype.

    Raises:
        ValueError: If shapes, dtypes or devices disagree, the scale is not positive and finite, or
            the implementation is unknown or cannot take these inputs.

    References:
        FlashAttention (Dao et al., 2022), algorithm 1; FlashAttention-2 (Dao, 2023), algorithms 1
        and 2.
    """
    check_attention(q_BHTD, k_BHSD, v_BHSD)
    scale = check_scale(scale, q_BHTD.shape[-1])
    chosen = choose_impl(q_BHTD, impl)
    if chosen == "reference":
        return reference(q_BHTD, k_BHSD, v_BHSD, causal=causal, scale=scale)
    if chosen == "tiled":
        return tiled(q_BHTD, k_BHSD, v_BHSD, causal=causal, scale=scale)
    from .launch import Call, triton_attention  # Triton is imported only where it runs

    return triton_attention(q_BHTD, k_BHSD, v_BHSD, call=Call(causal, scale))


def choose_impl(q_BHTD: Tensor, impl: Impl = "auto") -> Literal["reference", "tiled", "triton"]:
    """The implementation that `attention` runs on such queries.

    Args:
        q_BHTD: Queries; their device, dtype and head dimension decide.
        impl: What was asked for.

    Raises:
        ValueError: If `impl` is unknown, or is "triton" and cannot run.
    """
    if impl == "auto":
        return "tiled" if triton_obstacle(q_BHTD) else "triton"
    if impl not in ("reference", "tiled", "triton"):
        raise ValueError(
            f'impl must be one of "auto", "reference", "tiled", "triton", got "{impl}".'
        )
    if impl == "triton" and (obstacle := triton_obstacle(q_BHTD)):
        raise ValueError(f'impl "triton" {obstacle}.')
    return impl


def triton_obstacle(q_BHTD: Tensor) -> str:
    """Why our Triton kernels cannot take these queries; empty where they can.

    On the CPU they run only in Triton's interpreter (TRITON_INTERPRET=1), as tests do.
    """
    least, most = TRITON_HEAD_DIMS
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if importlib.util.find_spec("triton") is None:
        return "needs the triton package, which is not installed"
    if q_BHTD.device.type != "cuda" and not interpreted:
        return f"needs CUDA tensors, got tensors on {q_BHTD.device}"
    if q_BHTD.device.type == "cuda":
        capability = torch.cuda.get_device_capability(q_BHTD.device)
        if capability < TRITON_CAPABILITY:
            return f"needs compute capability 8.0 or newer, got {'.'.join(map(str, capability))}"
    if q_BHTD.dtype == torch.float64:
        return "takes float16, bfloat16 or float32, got float64"
    if not least <= q_BHTD.shape[-1] <= most:
        return f"takes head dimensions from {least} to {most}, got {q_BHTD.shape[-1]}"
    return ""

"""What the public functions accept, and the sentences they answer with otherwise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_attention(q_BHTD: Tensor, k_BHSD: Tensor, v_BHSD: Tensor) -> None:
    """Checks the inputs of attention over a batch of heads.

    Raises:
        ValueError: If an input is not of shape (B, H, T or S, D), a size is 0, or shapes, dtypes or
            devices disagree.
    """
    named = {"q": (q_BHTD, "BHTD"), "k": (k_BHSD, "BHSD"), "v": (v_BHSD, "BHSD")}
    for name, (tensor, letters) in named.items():
        if tensor.ndim != 4:
            raise ValueError(
                f"{name} must have 4 dimensions ({', '.join(letters)}), got {tuple(tensor.shape)}."
            )
    check_head(q_BHTD, k_BHSD, v_BHSD)
    if q_BHTD.shape[:2] != k_BHSD.shape[:2]:
        raise ValueError(
            "q and k must agree in batch and heads (B, H), "
            f"got {tuple(q_BHTD.shape)} and {tuple(k_BHSD.shape)}."
        )


def check_head(q_TD: Tensor, k_SD: Tensor, v_SD: Tensor) -> None:
    """Checks what holds for one head and for many: (..., T, D) against (..., S, D).

    Raises:
        ValueError: If the inputs disagree in shape, dtype or device, or have nothing in them.
    """
    for name, tensor in {"q": q_TD, "k": k_SD, "v": v_SD}.items():
        if tensor.ndim < 2 or tensor.numel() == 0:
            raise ValueError(
                f"{name} must have at least 1 row and 1 column, got shape {tuple(tensor.shape)}."
            )
        if tensor.dtype not in DTYPES:
            raise ValueError(
                f"{name} must be float16, bfloat16, float32 or float64, got {_name(tensor.dtype)}."
            )
        if (tensor.dtype, tensor.device) != (q_TD.dtype, q_TD.device):
            raise ValueError(
                "q, k and v must agree in dtype and device, got "
                f"{_name(q_TD.dtype)} on {q_TD.device} for q and "
                f"{_name(tensor.dtype)} on {tensor.device} for {name}."
            )
    if k_SD.shape != v_SD.shape:
        raise ValueError(
            f"k and v must have the same shape (..., S, D), "
            f"got {tuple(k_SD.shape)} and {tuple(v_SD.shape)}."
        )
    if q_TD.ndim != k_SD.ndim or q_TD.shape[-1] != k_SD.shape[-1]:
        raise ValueError(
            "q and k must agree in head dimension D, "
            f"got {tuple(q_TD.shape)} and {tuple(k_SD.shape)}."
        )


def check_blocks(block_q: int, block_k: int) -> None:
    """Checks block sizes: any size from 1 up; a block may be longer than the sequence."""
    for name, size in {"block_q": block_q, "block_k": block_k}.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}.")


def check_scale(scale: float | None, head_dim: int) -> float:
    """The scale of the scores: 1/√D by default.

    Raises:
        ValueError: If it is not a positive finite number.
    """
    if scale is None:
        return 1 / math.sqrt(head_dim)
    if not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"scale must be a positive finite number, got {scale}.")
    return scale


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

"""Attention by the Triton kernels as a differentiable function, and how large their blocks are.

The only module that imports `core.flash_attention.kernels`, and with it Triton; it is imported when
a kernel is about to run, and not before.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from triton.runtime import driver

from . import kernels


@dataclass(frozen=True)
class Launch:
    """How a kernel is cut and compiled.

    Attributes:
        owned: Rows of the block that a program owns.
        walked: Rows of the blocks that it walks along.
        warps: Warps per program, 32 threads each.
        stages: Blocks in flight at a time while it walks.
    """

    owned: int
    walked: int
    warps: int
    stages: int


HALF_CHOICES = (
    Launch(128, 64, 8, 3),
    Launch(128, 64, 8, 2),
    Launch(64, 32, 8, 2),
    Launch(32, 32, 4, 1),
    Launch(16, 16, 4, 1),
)
"""From the largest blocks to the smallest."""

SINGLE_CHOICES = (Launch(32, 32, 8, 1), Launch(16, 16, 4, 1))
"""In float32, which has no tensor cores without rounding to TF32: up to 64 columns, and more."""


@dataclass(frozen=True)
class Call:
    """What the kernels of one call share.

    Attributes:
        causal: Whether the bottom-right causal mask applies.
        scale: Factor of the scores.
        forward: Launch of the forward kernel; None chooses by the device's shared memory.
        backward: Launch of the two backward kernels; likewise.
    """

    causal: bool
    scale: float
    forward: Launch | None = None
    backward: Launch | None = None


def triton_attention(q_BHTD: Tensor, k_BHSD: Tensor, v_BHSD: Tensor, *, call: Call) -> Tensor:
    """Attention by our kernels, shape (B, H, T, D); what `impl="triton"` runs."""
    q, k, v = (each.flatten(0, 1).contiguous() for each in (q_BHTD, k_BHSD, v_BHSD))
    out: Tensor = TritonAttention.apply(q, k, v, call)  # type: ignore[no-untyped-call]
    return out.view(q_BHTD.shape)


def choose_launch(head_dim: int, dtype: torch.dtype, owned: int, shared: int) -> Launch:
    """The largest blocks whose operands fit in shared memory.

    Args:
        head_dim: Columns of a block, padded to a power of two.
        dtype: Of its elements.
        owned: How many blocks a program owns: 1 (Q) going forward, 2 (Q and dO, or K and V) going
            back. It walks along 2 either way.
        shared: Shared memory that one program can have, bytes.
    """
    if dtype == torch.float32:
        return SINGLE_CHOICES[0] if head_dim <= 64 else SINGLE_CHOICES[1]
    for choice in HALF_CHOICES:
        rows = owned * choice.owned + 2 * choice.stages * choice.walked
        if rows * head_dim * dtype.itemsize <= shared:
            return choice
    return HALF_CHOICES[-1]


class TritonAttention(torch.autograd.Function):
    """The kernels over contiguous (heads, length, D)."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, call: Call) -> Tensor:
        """Keeps O and the log-sum-exp (base 2) for the way back."""
        out, lse = torch.empty_like(q), q.new_empty(q.shape[:2], dtype=torch.float32)
        launch = call.forward or _launch(q, owned=1)
        with _device(q):
            kernels.forward[_grid(q, launch)](
                q, k, v, out, lse, *_sizes(q, k, call), CAUSAL=call.causal,
                BLOCK_Q=launch.owned, BLOCK_K=launch.walked, **_constants(q, launch),
            )  # fmt: skip
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.call = call
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of q, k and v."""
        q, k, v, out, lse = ctx.saved_tensors
        call: Call = ctx.call
        grad, delta = grad.contiguous(), torch.empty_like(lse)
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        launch = call.backward or _launch(q, owned=2)
        sizes, constants = _sizes(q, k, call), _constants(q, launch)
        with _device(q):
            kernels.row_dots[_grid(q, launch)](
                grad, out, delta, q.shape[1], BLOCK_Q=launch.owned,
                **{name: constants[name] for name in ("W", "PADDED", "enable_fp_fusion")},
            )  # fmt: skip
            kernels.backward_keys[_grid(k, launch)](
                q, k, v, grad, lse, delta, dk, dv, *sizes, call.scale, CAUSAL=call.causal,
                BLOCK_Q=launch.walked, BLOCK_K=launch.owned,
                RAGGED=q.shape[1] % launch.walked != 0, **constants,
            )  # fmt: skip
            kernels.backward_queries[_grid(q, launch)](
                q, k, v, grad, lse, delta, dq, *sizes, call.scale, CAUSAL=call.causal,
                BLOCK_Q=launch.owned, BLOCK_K=launch.walked, **constants,
            )  # fmt: skip
        return dq, dk, dv, None


def _device(q: Tensor) -> AbstractContextManager[object]:
    """Triton launches on the current device, which need not be that of the tensors."""
    return torch.cuda.device(q.device) if q.device.type == "cuda" else nullcontext()


def _launch(q: Tensor, owned: int) -> Launch:
    shared = 0  # the interpreter has none, and takes the smallest blocks
    if q.device.type == "cuda":
        device = torch.cuda.current_device() if q.device.index is None else q.device.index
        shared = driver.active.utils.get_device_properties(device)["max_shared_mem"]
    return choose_launch(_padded(q), q.dtype, owned, shared)


def _grid(owned: Tensor, launch: Launch) -> tuple[int]:
    """One program for every block of every head."""
    heads, length, _ = owned.shape
    return (heads * -(-length // launch.owned),)


def _sizes(q: Tensor, k: Tensor, call: Call) -> tuple[int, int, float]:
    """T, S and c = scale·log₂e."""
    return q.shape[1], k.shape[1], call.scale * math.log2(math.e)


def _constants(q: Tensor, launch: Launch) -> dict[str, Any]:
    precision = "tf32"  # without effect on half precision
    if q.dtype == torch.float32:
        precision = "ieee"  # TF32 would round the operands to ten bits
    elif q.device.type == "cpu" and q.dtype == torch.bfloat16:
        precision = "emulated"
    return {
        "W": q.shape[2],
        "PADDED": _padded(q),
        "PRECISION": precision,
        "num_warps": launch.warps,
        "num_stages": launch.stages,
        "enable_fp_fusion": True,  # cS − m' in one instruction
    }


def _padded(q: Tensor) -> int:
    """The head dimension as a power of two, at least 16."""
    return int(max(16, 2 ** math.ceil(math.log2(q.shape[2]))))

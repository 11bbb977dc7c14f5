"""Exact attention that never writes the N×N matrix, and the algorithm watched at work.

`attention` computes it; `trace` is the same computation, one record per phase of every tile;
`traffic` counts its bytes without running it. The causal mask is bottom-right everywhere: with T
queries and S keys, query t sees key s if and only if s ≤ t + S − T.

    >>> import torch
    >>> from core.flash_attention import attention, trace
    >>> q, k, v = torch.randn(3, 2, 4, 512, 64)            # (B, H, T, D) each
    >>> out = attention(q, k, v, causal=True)               # tiles; memory linear in T
    >>> steps = trace(q[0, 0], k[0, 0], v[0, 0], block_q=128, block_k=64, causal=True)
    >>> next(steps).phase
    'load_q'

References:
    FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness (Dao et al., 2022).
    FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning (Dao, 2023).
"""

from .attention import attention, choose_impl
from .gpus import GPUS, Blocks, Gpu, Roofline, budget, gpu, largest_blocks, paper_blocks, roofline
from .memory import Move
from .online import OnlineStep, online_softmax
from .passes import Source, source
from .precision import RoundingError, rounding_errors
from .records import Held, Result, Step
from .reference import exact_prefix
from .tiles import Tiles
from .timing import Lap, peak_bytes, race
from .tokens import TokenHead, tokenize, tokens_attention
from .trace import answer, count_steps, trace
from .traffic import Problem, Traffic, footprint, traffic

__all__ = [
    "GPUS",
    "Blocks",
    "Gpu",
    "Held",
    "Lap",
    "Move",
    "OnlineStep",
    "Problem",
    "Result",
    "Roofline",
    "RoundingError",
    "Source",
    "Step",
    "Tiles",
    "TokenHead",
    "Traffic",
    "answer",
    "attention",
    "budget",
    "choose_impl",
    "count_steps",
    "exact_prefix",
    "footprint",
    "gpu",
    "largest_blocks",
    "online_softmax",
    "paper_blocks",
    "peak_bytes",
    "race",
    "roofline",
    "rounding_errors",
    "source",
    "tokenize",
    "tokens_attention",
    "trace",
    "traffic",
]

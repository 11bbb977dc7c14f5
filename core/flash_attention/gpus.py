"""Real GPUs: how much fits on the chip, how fast memory and arithmetic are, which of them binds.

Figures are the vendor's: shared memory per SM by compute capability from the CUDA C++ Programming
Guide (technical specifications per compute capability), bandwidth and peak rates from the document
named in each entry. Half-precision peaks are dense tensor-core rates with float32 accumulation, the
float32 peak is that of the CUDA cores, without TF32. 1 KB of shared memory is 1024 bytes.

References:
    Roofline: An Insightful Visual Performance Model for Multicore Architectures (Williams et al.,
    2009).
    FlashAttention (Dao et al., 2022), algorithm 1, line 1, for the paper's own block sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch

from .passes import Stage
from .traffic import Traffic, footprint

KB = 1024
GUIDE = "CUDA C++ Programming Guide, compute capability"


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        name: As sold.
        sms: Streaming multiprocessors.
        sram_per_sm: Most shared memory an SM can be configured to have, bytes.
        bandwidth: Of its main memory, bytes per second.
        peak: FLOP/s by dtype of the operands; a dtype the tensor cores lack is missing.
        sources: Documents the figures are from.
    """

    name: str
    sms: int
    sram_per_sm: int
    bandwidth: float
    peak: Mapping[torch.dtype, float]
    sources: tuple[str, ...]


def _gpu(
    name: str,
    capability: str,
    sms: int,
    sram_kb: int,
    rates: tuple[float, float, float | None, float],
    source: str,
) -> Gpu:
    """An entry of the table; `rates` is GB/s, then TFLOP/s in float16, bfloat16 and float32."""
    bandwidth, *tera = rates
    dtypes = (torch.float16, torch.bfloat16, torch.float32)
    peak = {dtype: each * 1e12 for dtype, each in zip(dtypes, tera, strict=True) if each}
    return Gpu(name, sms, sram_kb * KB, bandwidth * 1e9, peak, (source, f"{GUIDE} {capability}"))


GPUS: tuple[Gpu, ...] = (
    _gpu("V100 SXM2", "7.0", 80, 96, (900, 125, None, 15.7), "NVIDIA V100 data sheet (2020)"),
    _gpu("T4", "7.5", 40, 64, (320, 65, None, 8.1), "NVIDIA T4 data sheet (2019)"),
    _gpu("A100 SXM 80GB", "8.0", 108, 164, (2039, 312, 312, 19.5), "NVIDIA A100 data sheet (2021)"),
    _gpu("RTX 3090", "8.6", 82, 100, (936, 71, 71, 35.6), "NVIDIA GA102 white paper (2021)"),
    _gpu("RTX 4090", "8.9", 128, 100, (1008, 165.2, 165.2, 82.6), "NVIDIA Ada white paper (2023)"),
    _gpu("L4", "8.9", 58, 100, (300, 121, 121, 30.3), "NVIDIA L4 data sheet (2023)"),
    _gpu("H100 SXM", "9.0", 132, 228, (3350, 989, 989, 67), "NVIDIA H100 data sheet (2023)"),
    _gpu("H200 SXM", "9.0", 132, 228, (4800, 989, 989, 67), "NVIDIA H200 data sheet (2024)"),
)


@dataclass(frozen=True)
class Blocks:
    """Block sizes against the on-chip budget of a GPU.

    Attributes:
        block_q: Queries per tile.
        block_k: Keys per tile.
        chip_bytes: What a full tile needs.
        budget: Shared memory of one SM, bytes.
    """

    block_q: int
    block_k: int
    chip_bytes: int
    budget: int

    @property
    def fits(self) -> bool:
        """Whether one SM can hold a full tile."""
        return self.chip_bytes <= self.budget


@dataclass(frozen=True)
class Roofline:
    """Where a computation stands under a GPU's roof.

    Attributes:
        intensity: FLOPs per byte of the computation.
        ridge: FLOPs per byte from which arithmetic binds instead of memory.
        attainable: FLOP/s the roof allows at this intensity.
        seconds: Shortest time the roof allows.
        bound: "memory" or "compute".
    """

    intensity: float
    ridge: float
    attainable: float
    seconds: float
    bound: Literal["memory", "compute"]


def gpu(name: str) -> Gpu:
    """The GPU of that name.

    Raises:
        ValueError: If the table has no such GPU.
    """
    for entry in GPUS:
        if entry.name == name:
            return entry
    raise ValueError(f'gpu must be one of {", ".join(each.name for each in GPUS)}, got "{name}".')


def budget(
    gpu: Gpu,
    block_q: int,
    block_k: int,
    head_dim: int,
    dtype: torch.dtype,
    stage: Stage = "forward",
) -> Blocks:
    """What FlashAttention-2 tiles of this size need, beside what one SM of the GPU has."""
    need = footprint(block_q, block_k, head_dim, dtype, "fa2", stage)
    return Blocks(block_q, block_k, need, gpu.sram_per_sm)


def largest_blocks(gpu: Gpu, head_dim: int, dtype: torch.dtype, stage: Stage = "forward") -> Blocks:
    """The largest tile that fits one SM: powers of two, most scores, then most queries.

    Args:
        gpu: Whose shared memory.
        head_dim: Columns of a head, at least 1.
        dtype: Of the inputs.
        stage: "forward" or "backward", which keeps more on chip.

    Raises:
        ValueError: If not even one query and one key fit.
    """
    sizes = [2**power for power in range(11)]
    tiles = (budget(gpu, r, c, head_dim, dtype, stage) for r in sizes for c in sizes)
    fitting = [tile for tile in tiles if tile.fits]
    if not fitting:
        raise ValueError(
            f"head_dim must be small enough for {gpu.sram_per_sm} bytes of shared memory, "
            f"got {head_dim}."
        )
    return max(fitting, key=lambda tile: (tile.block_q * tile.block_k, tile.block_q))


def paper_blocks(gpu: Gpu, head_dim: int, dtype: torch.dtype) -> Blocks:
    """The first paper's rule with M elements on chip: B_c = ⌈M/4d⌉ keys, B_r = min(B_c, d) queries.

    The rule leaves P, m and l out of its account, so its tiles need not fit.
    """
    block_k = max(1, -(-gpu.sram_per_sm // (4 * head_dim * dtype.itemsize)))
    return budget(gpu, min(block_k, head_dim), block_k, head_dim, dtype)


def roofline(gpu: Gpu, traffic: Traffic, dtype: torch.dtype) -> Roofline:
    """The roof over one pass: min(peak FLOP/s, bandwidth · intensity).

    Args:
        gpu: Whose bandwidth and peak.
        traffic: What the pass moves and computes.
        dtype: Of the operands; chooses the peak.

    Raises:
        ValueError: If the table has no peak for this dtype on this GPU.
    """
    if dtype not in gpu.peak:
        known = ", ".join(str(each).removeprefix("torch.") for each in gpu.peak)
        got = str(dtype).removeprefix("torch.")
        raise ValueError(f"dtype must be one of {known} on {gpu.name}, got {got}.")
    peak = gpu.peak[dtype]
    attainable = min(peak, gpu.bandwidth * traffic.intensity)
    return Roofline(
        intensity=traffic.intensity,
        ridge=peak / gpu.bandwidth,
        attainable=attainable,
        seconds=traffic.flops / attainable,
        bound="compute" if attainable == peak else "memory",
    )

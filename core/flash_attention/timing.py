"""Our attention against torch's, on the machine at hand: interleaved laps, and peak extra memory.

Times on a shared machine drift; so the contestants take turns, and what counts is the ratio of
their medians within one race. Memory is what a call needs beside its inputs: the allocator's peak
on a GPU, the peak resident size of a fresh process on a CPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from .attention import attention, choose_impl
from .memory import HALVES
from .passes import Stage
from .traffic import Problem

SHORTEST_LAP = 0.02
"""Seconds; a call that is faster is repeated within its lap."""


@dataclass(frozen=True)
class Lap:
    """One timing.

    Attributes:
        impl: "tiled", "triton", "reference" or "sdpa" (torch's).
        round: Number of the round, from 0.
        seconds: Time of one call.
    """

    impl: str
    round: int
    seconds: float


def race(
    problem: Problem,
    *,
    impls: Sequence[str] | None = None,
    device: torch.device | str = "cpu",
    stage: Stage = "forward",
    rounds: int = 5,
) -> Iterator[Lap]:
    """Times implementations in turn, on the same random inputs.

    Args:
        problem: Lengths, heads, head dimension, dtype and mask.
        impls: Who takes part: "tiled", "triton", "reference", "sdpa". By default ours for this
            device, torch's and the naive one.
        device: Where to compute.
        stage: "forward", or "backward" for the gradients alone.
        rounds: Laps of each, at least 1; one more warms up.

    Returns:
        A generator of laps, round by round; stop taking them to stop the race.

    Raises:
        ValueError: If the rounds are fewer than 1, an implementation is unknown or cannot run here,
            or the problem is causal with unequal lengths, where torch's mask differs from ours.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}.")
    if impls is None:
        probe = torch.empty(1, 1, 1, problem.head_dim, dtype=problem.dtype, device=device)
        impls = (choose_impl(probe), "sdpa", "reference")
    return _laps({impl: task(problem, impl, device, stage) for impl in impls}, rounds)


def task(
    problem: Problem, impl: str, device: torch.device | str = "cpu", stage: Stage = "forward"
) -> Callable[[], object]:
    """A call of one implementation on random inputs, ready to be repeated.

    Raises:
        ValueError: As `race`.
    """
    if problem.causal and problem.queries != problem.keys and impl == "sdpa":
        raise ValueError(
            "queries must equal keys in a causal race against sdpa, whose mask is top-left, "
            f"got {problem.queries} and {problem.keys}."
        )
    if impl not in ("tiled", "triton", "reference", "sdpa"):
        raise ValueError(f'impl must be "tiled", "triton", "reference" or "sdpa", got "{impl}".')
    q, k, v = _inputs(problem, torch.device(device))
    if impl != "sdpa":
        choose_impl(q, impl)  # type: ignore[arg-type]
    if stage == "forward":
        return lambda: _call(impl, q, k, v, problem.causal)
    inputs = [each.requires_grad_() for each in (q, k, v)]
    out = _call(impl, q, k, v, problem.causal)
    return lambda: torch.autograd.grad(out, inputs, q, retain_graph=True)


def peak_bytes(
    problem: Problem, impl: str, *, device: torch.device | str = "cpu", stage: Stage = "forward"
) -> int | None:
    """Peak memory of one call, forward or backward, beside its inputs and what forward kept.

    On a CPU the call is made in a fresh process of its own, which takes some seconds.

    Returns:
        Bytes, or None where the system does not tell a process its peak (other than Linux).

    Raises:
        ValueError: As `race`.
    """
    if torch.device(device).type == "cuda":
        return _cuda_peak(task(problem, impl, device, stage), torch.device(device))
    if not Path("/proc/self/status").exists():
        return None
    task(Problem(1, 1, problem.head_dim, dtype=problem.dtype), impl, device)  # or a sentence
    fields = asdict(problem) | {"dtype": str(problem.dtype).removeprefix("torch.")}
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "core.flash_attention.peak", json.dumps([fields, impl, stage])],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def _inputs(problem: Problem, device: torch.device) -> list[Tensor]:
    generator = torch.Generator(device).manual_seed(0)
    lengths = (problem.queries, problem.keys, problem.keys)
    shapes = [(1, problem.heads, length, problem.head_dim) for length in lengths]
    return [
        torch.randn(shape, generator=generator, device=device).to(problem.dtype) for shape in shapes
    ]


def _call(impl: str, q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    if impl != "sdpa":
        return attention(q, k, v, causal=causal, impl=impl)  # type: ignore[arg-type]
    flash = q.device.type == "cuda" and q.dtype in HALVES
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION) if flash else nullcontext():
        return scaled_dot_product_attention(q, k, v, is_causal=causal)


def _laps(tasks: dict[str, Callable[[], object]], rounds: int) -> Iterator[Lap]:
    repeats = {}
    for impl, call in tasks.items():
        _time(call, 1)
        repeats[impl] = max(1, round(SHORTEST_LAP / _time(call, 1)))
    for index in range(rounds):
        for impl, call in tasks.items():
            yield Lap(impl, index, _time(call, repeats[impl]))


def _time(call: Callable[[], object], repeats: int) -> float:
    _wait()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    _wait()
    return (time.perf_counter() - start) / repeats


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _cuda_peak(call: Callable[[], object], device: torch.device) -> int:
    call()
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    call()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before

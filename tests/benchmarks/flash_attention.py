"""Our attention beside torch's and naive attention: ratios of medians, extra memory, errors.

`python -m tests.benchmarks.flash_attention` on the CPU, `--device cuda` for the Triton kernels on a
GPU; `--tune` tries launches of the kernels and prints the fastest of each kind.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import itertools
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from core.flash_attention import Problem, attention, peak_bytes, race, traffic
from core.flash_attention.passes import Stage

if TYPE_CHECKING:  # Triton, which it imports, need not be installed
    from core.flash_attention.launch import Call

STAGES: tuple[Stage, ...] = ("forward", "backward")
TARGETS = {("cpu", stage): 1 / 2.5 for stage in STAGES} | {
    ("cuda", "forward"): 0.95,
    ("cuda", "backward"): 0.8,
}
"""Least speed beside SDPA: its time over ours."""


def main(arguments: Sequence[str] = ()) -> None:
    """Prints the tables for one device."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--rounds", type=int, default=3, help="laps of each implementation")
    parser.add_argument("--tune", action="store_true", help="try launches of the kernels (CUDA)")
    chosen = parser.parse_args(arguments)
    device = torch.device(chosen.device)
    print(f"{date.today()}, {_name(device)}, torch {torch.__version__}, {_triton()}\n")
    if device.type == "cpu":
        times(_cpu_problems(), device, chosen.rounds)
        memory(device)
        print("\nThe Triton kernels: not measured on a GPU yet "
              "(`python -m tests.benchmarks.flash_attention --device cuda`).")  # fmt: skip
        return
    if chosen.tune:
        tune(device, chosen.rounds)
        return
    times(_cuda_problems(), device, chosen.rounds)
    errors(device)
    memory(device)


def times(problems: Sequence[Problem], device: torch.device, rounds: int) -> None:
    """Medians of interleaved laps, and SDPA's time over ours."""
    print("| pass | N | heads | d | dtype | causal | ours, ms | SDPA, ms | naive, ms "
          "| SDPA / ours | target | TFLOP/s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for problem, stage in itertools.product(problems, STAGES):
        ours = "tiled" if device.type == "cpu" else "triton"
        impls = [ours, "sdpa"]
        if problem.heads * problem.queries**2 * problem.dtype.itemsize <= 2**31:
            impls.append("reference")
        laps = list(race(problem, impls=impls, device=device, stage=stage, rounds=rounds))
        median = {
            impl: statistics.median(lap.seconds for lap in laps if lap.impl == impl)
            for impl in impls
        }
        naive = f"{1e3 * median['reference']:.1f}" if "reference" in median else "–"
        rate = traffic(problem, stage=stage).flops / median[ours] / 1e12
        print(
            f"| {stage} | {problem.queries} | {problem.heads} | {problem.head_dim} "
            f"| {_short(problem.dtype)} | {'yes' if problem.causal else 'no'} "
            f"| {1e3 * median[ours]:.2f} | {1e3 * median['sdpa']:.2f} | {naive} "
            f"| {median['sdpa'] / median[ours]:.2f} | ≥ {TARGETS[device.type, stage]:.2f} "
            f"| {rate:.3g} |",
            flush=True,
        )


def memory(device: torch.device) -> None:
    """Peak memory beside the inputs, as N doubles."""
    ours = "tiled" if device.type == "cpu" else "triton"
    dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    lengths = (2048, 4096, 8192, 16384)
    print(f"\nPeak extra memory, MiB, 4 heads, d=64, {_short(dtype)}\n")
    print("| pass | implementation | " + " | ".join(f"N={n}" for n in lengths) + " |")
    print("|---" * (2 + len(lengths)) + "|")
    for stage, impl in itertools.product(STAGES, (ours, "sdpa", "reference")):
        row = []
        for n in lengths:
            if impl == "reference" and n > 4096:
                row.append("–")
                continue
            peak = peak_bytes(
                Problem(n, n, 64, heads=4, dtype=dtype), impl, device=device, stage=stage
            )
            row.append("?" if peak is None else f"{peak / 2**20:.1f}")
        print(f"| {stage} | {impl} | {' | '.join(row)} |", flush=True)


def errors(device: torch.device, length: int = 1999) -> None:
    """Largest error of output and gradients against float64, beside naive attention's."""
    print("\n| dtype | d | causal | implementation | out | dQ | dK | dV |")
    print("|---|---|---|---|---|---|---|---|")
    dtypes = (torch.bfloat16, torch.float16, torch.float32)
    for dtype, width, causal in itertools.product(dtypes, (64, 128), (False, True)):
        generator = torch.Generator(device).manual_seed(0)
        qkvg = [
            torch.randn(1, 4, length, width, generator=generator, device=device).to(dtype)
            for _ in range(4)
        ]
        exact = _all(*(each.double() for each in qkvg), causal, "reference")
        for impl in ("triton", "sdpa", "reference"):
            found = zip(_all(*qkvg, causal, impl), exact, strict=True)
            row = [f"{(mine.double() - other).abs().max():.1e}" for mine, other in found]
            print(
                f"| {_short(dtype)} | {width} | {'yes' if causal else 'no'} | {impl} "
                f"| {' | '.join(row)} |",
                flush=True,
            )


def tune(device: torch.device, rounds: int) -> None:
    """Tries launches of each kernel at N=4096 and prints the fastest five."""
    from triton.runtime.errors import OutOfResources

    from core.flash_attention.launch import Call, Launch

    sizes = itertools.product((64, 128), (32, 64, 128), (4, 8), (2, 3, 4))
    launches = [Launch(*each) for each in sizes]
    for width, causal, stage in itertools.product((64, 128), (False, True), STAGES):
        qkv = torch.randn(3, 4, 16, 4096, width, device=device, dtype=torch.bfloat16).unbind()
        found = []
        for launch in launches:
            call = Call(causal, width**-0.5, **{stage: launch})
            with suppress(OutOfResources):
                found.append((_median(_prepared(qkv, call, stage), rounds), launch))
        print(f"\n{stage}, d={width}, causal {causal}")
        for seconds, launch in sorted(found, key=lambda each: each[0])[:5]:
            print(f"{1e3 * seconds:8.3f} ms  {launch}", flush=True)


def _prepared(qkv: Sequence[torch.Tensor], call: Call, stage: Stage) -> Callable[[], object]:
    """A call of the kernels as `call` says, ready to be repeated."""
    from core.flash_attention.launch import triton_attention

    if stage == "forward":
        return lambda: triton_attention(*qkv, call=call)
    inputs = [each.detach().requires_grad_() for each in qkv]
    out = triton_attention(*inputs, call=call)
    return lambda: torch.autograd.grad(out, inputs, qkv[0], retain_graph=True)


def _median(call: Callable[[], object], rounds: int) -> float:
    """Median seconds of a call on the GPU, after one to warm up."""
    call()
    laps = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(10):
            call()
        torch.cuda.synchronize()
        laps.append((time.perf_counter() - start) / 10)
    return statistics.median(laps)


def _all(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    upstream: torch.Tensor,
    causal: bool,
    impl: str,
) -> tuple[torch.Tensor, ...]:
    """Output and gradients of one implementation."""
    inputs = [each.detach().requires_grad_() for each in (q, k, v)]
    if impl == "sdpa":
        out = torch.nn.functional.scaled_dot_product_attention(*inputs, is_causal=causal)
    else:
        out = attention(*inputs, causal=causal, impl=impl)
    return (out.detach(), *torch.autograd.grad(out, inputs, upstream))


def _cpu_problems() -> list[Problem]:
    return [
        Problem(n, n, 64, heads=4, dtype=torch.float32, causal=causal)
        for n, causal in itertools.product((2048, 8192), (False, True))
    ]


def _cuda_problems() -> list[Problem]:
    """16k tokens and 2048 columns in all, whatever the length, as FlashAttention-2 was measured."""
    return [
        Problem(n, n, width, heads=16384 // n * 2048 // width, causal=causal)
        for width, n, causal in itertools.product(
            (64, 128), (1024, 2048, 4096, 8192, 16384), (False, True)
        )
    ]


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else model
    return f"{model}, {torch.get_num_threads()} thread(s)"


def _triton() -> str:
    if importlib.util.find_spec("triton") is None:
        return "without triton"
    return f"triton {importlib.metadata.version('triton')}"


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


if __name__ == "__main__":
    main(sys.argv[1:])

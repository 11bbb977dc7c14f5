"""The Triton kernels against float64: in Triton's interpreter on the CPU, compiled on CUDA.

The interpreter has to be chosen before Triton is imported, so the kernels run in a process of their
own: this file, as a program, which prints the errors of all cases at once. Another such process
compiles them for GPUs that need not be there.
"""

import itertools
import json
import math
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

DTYPES = ("float32", "float16", "bfloat16")
SHAPES = [  # queries, keys, head dimension, rows owned, rows walked
    (37, 53, 16, 16, 16),
    (53, 37, 20, 32, 16),
    (48, 48, 64, 16, 32),
    (1, 33, 32, 16, 16),
    (40, 3, 128, 16, 32),
    (16, 18, 256, 32, 16),
]
CASES = list(itertools.product(DTYPES, (False, True), SHAPES))


def errors(dtype: str, causal: bool, shape: tuple[int, ...], device: str) -> list[list[float]]:
    """Largest errors of output and gradients, naive attention's in the same precision beside."""
    from core.flash_attention.launch import Call, Launch, triton_attention
    from core.flash_attention.reference import reference

    queries, keys, width, owned, walked = shape
    scale, launch = 1 / math.sqrt(width), Launch(owned, walked, 4, 1)
    torch.manual_seed(0)
    qkv = [
        torch.randn(1, 2, length, width, device=device).to(getattr(torch, dtype)).requires_grad_()
        for length in (queries, keys, keys)
    ]
    wide = [each.detach().double().requires_grad_() for each in qkv]
    upstream = torch.randn_like(qkv[0])
    out = reference(*wide, causal=causal, scale=scale)
    exact = (out, *torch.autograd.grad(out, wide, upstream.double()))

    def against_float64(out: Tensor) -> list[float]:
        found = zip((out, *torch.autograd.grad(out, qkv, upstream)), exact, strict=True)
        return [(mine.double() - other).abs().max().item() for mine, other in found]

    ours = triton_attention(*qkv, call=Call(causal, scale, launch, launch))
    naive = reference(*qkv, causal=causal, scale=scale)
    return [against_float64(ours), against_float64(naive)]


def overflow(device: str) -> list[float]:
    """Largest error where logits exceed float16; how much is not 0 in rows that see nothing."""
    from core.flash_attention import attention

    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 1, 40, 16, device=device).half() for _ in range(3))
    out = attention(200 * q, 200 * k, v, impl="triton")
    wide = [each.double() for each in (200 * q, 200 * k, v)]
    exact = attention(*wide, impl="reference")
    blind = attention(q, k[:, :, :7], v[:, :, :7], causal=True, impl="triton")[:, :, :33]
    return [(out.double() - exact).abs().max().item(), blind.count_nonzero().item()]


def compiled(name: str, dtype: str, capability: int, shared: int) -> list[int]:
    """Shared memory that a kernel takes, and that one program may have; D = 64, causal, ragged."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from core.flash_attention import kernels
    from core.flash_attention.launch import choose_launch

    kernel = getattr(kernels, name)
    kind = {"bfloat16": "*bf16", "float32": "*fp32"}[dtype]
    launch = choose_launch(64, getattr(torch, dtype), 1 if name == "forward" else 2, shared)
    queries, keys = launch.owned, launch.walked
    if name == "backward_keys":
        queries, keys = keys, queries
    constants = {
        **{"W": 64, "PADDED": 64, "BLOCK_Q": queries, "BLOCK_K": keys},
        **{"CAUSAL": True, "RAGGED": True, "PRECISION": "ieee" if dtype == "float32" else "tf32"},
    }
    scalars = {"T": "i32", "S": "i32", "c": "fp32", "scale": "fp32", "lse": "*fp32"}
    types = {**scalars, "delta": "*fp32", **dict.fromkeys(constants, "constexpr")}
    signature = {each: types.get(each, kind) for each in kernel.arg_names}
    found = triton.compile(
        ASTSource(
            kernel, signature, {each: constants[each] for each in signature if each in constants}
        ),
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": launch.warps, "num_stages": launch.stages, "enable_fp_fusion": True},
    )
    return [found.metadata.shared, shared]


def program(*arguments: str, **environment: str) -> dict[str, list]:
    """What this file prints when it runs as a program."""
    pytest.importorskip("triton", reason="triton is not installed, so its kernels cannot run")
    path = {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        env={**os.environ, **path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def results(device: torch.device) -> dict[str, list]:
    """The errors of all cases."""
    interpreted = {} if device.type == "cuda" else {"TRITON_INTERPRET": "1"}
    return program(str(device), **interpreted)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_output_and_gradients_are_float64s_to_rounding(
    case: tuple, results: dict[str, list], device: torch.device
) -> None:
    times = 2
    if case[0] == "bfloat16" and device.type == "cpu":
        times = 4  # the interpreter truncates to bfloat16, which errs twice as much as rounding
    for ours, naive in zip(*results[str(case)], strict=True):
        assert ours <= (2e-6 if case[0] == "float32" else max(times * naive, 1e-3))


def test_overflow_and_rows_that_see_nothing(results: dict[str, list]) -> None:
    error, not_zero = results["overflow"]
    assert error < 2e-3
    assert not_zero == 0


def test_kernels_compile_for_gpus_that_are_not_here(tmp_path: Path) -> None:
    for name, (used, available) in program("compile", TRITON_CACHE_DIR=str(tmp_path)).items():
        assert used <= available, name


def test_launches_shrink_until_they_fit() -> None:
    pytest.importorskip("triton", reason="triton is not installed, so its kernels cannot run")
    from core.flash_attention.launch import HALF_CHOICES, SINGLE_CHOICES, choose_launch

    hopper, ada = 227 * 1024, 99 * 1024
    assert choose_launch(64, torch.bfloat16, 1, hopper) == HALF_CHOICES[0]
    assert choose_launch(64, torch.float32, 1, hopper) == SINGLE_CHOICES[0]
    assert choose_launch(64, torch.float16, 1, 0) == HALF_CHOICES[-1]
    for width, owned in itertools.product((16, 64, 128, 256), (1, 2)):
        for shared in (hopper, ada):
            launch = choose_launch(width, torch.float16, owned, shared)
            rows = owned * launch.owned + 2 * launch.stages * launch.walked
            assert 2 * width * rows <= shared


if __name__ == "__main__":
    if sys.argv[1] == "compile":
        names = ("forward", "row_dots", "backward_keys", "backward_queries")
        targets = [("bfloat16", 90, 227 * 1024), ("float32", 80, 163 * 1024)]
        table = {
            f"{name} {target}": compiled(name, *target)
            for name, target in itertools.product(names, targets)
        }
    else:
        warnings.filterwarnings("ignore", message="overflow encountered in exp2")  # ragged rows
        table = {str(case): errors(*case, sys.argv[1]) for case in CASES}
        table["overflow"] = overflow(sys.argv[1])
    print(json.dumps(table))

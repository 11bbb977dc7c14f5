"""The formulas equal what the trace counted; the table of GPUs is used as it says."""

import itertools
import statistics

import pytest
import torch

from core.flash_attention import (
    GPUS,
    Problem,
    Traffic,
    budget,
    footprint,
    gpu,
    largest_blocks,
    paper_blocks,
    peak_bytes,
    race,
    roofline,
    trace,
    traffic,
)
from core.flash_attention.passes import ALGORITHMS

CASES = [  # queries, keys, head dimension, block of queries, block of keys
    (16, 16, 8, 4, 4),
    (17, 29, 8, 5, 7),
    (29, 17, 4, 7, 5),
    (9, 30, 16, 64, 3),
    (30, 2, 4, 8, 8),
    (13, 11, 2, 3, 64),
    (1, 1, 1, 1, 1),
]


@pytest.mark.parametrize("order", ["fa2", "fa1", "naive"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_formulas_equal_the_traces_counters(
    order: str, causal: bool, dtype: torch.dtype, device: torch.device
) -> None:
    for queries, keys, width, block_q, block_k in CASES:
        q, k = (torch.ones(n, width, dtype=dtype, device=device) for n in (queries, keys))
        blocks = {"block_q": block_q, "block_k": block_k}
        steps = list(trace(q, k, k, **blocks, causal=causal, order=order, backward=True))
        problem = Problem(queries, keys, width, dtype=dtype, causal=causal)
        for stage in ("forward", "backward"):
            mine = [step for step in steps if step.stage == stage]
            found = traffic(problem, order, **blocks, stage=stage)
            counted = (mine[-1].read, mine[-1].written, mine[-1].flops)
            assert (found.read, found.written, found.flops) == counted, (queries, keys, stage)
            full = (min(block_q, queries), keys if order == "naive" else min(block_k, keys))
            tiles = [
                step.chip_bytes
                for step in mine
                if "p" in step.chip and step.chip["p"].shape == full
            ]
            assert max(tiles, default=found.chip_bytes) == found.chip_bytes


def test_counts_known_from_the_papers() -> None:
    square = Problem(1024, 1024, 64, dtype=torch.float32)
    n, d = 1024, 64
    assert traffic(square, "naive").total == 4 * (4 * n * n + 4 * n * d)
    fa2 = traffic(square, "fa2", block_q=128, block_k=64)
    assert fa2.total == 4 * (2 * n * d * (1 + n // 128) + n)
    assert fa2.flops == traffic(square, "naive").flops == 4 * n * n * d


def test_heads_multiply_and_causal_halves() -> None:
    one = traffic(Problem(4096, 4096, 64))
    many = traffic(Problem(4096, 4096, 64, heads=12))
    assert (many.total, many.flops) == (12 * one.total, 12 * one.flops)
    assert many.chip_bytes == one.chip_bytes
    causal = traffic(Problem(4096, 4096, 64, causal=True))
    assert causal.flops / one.flops == pytest.approx(0.5, abs=0.02)


def test_who_moves_least() -> None:
    problem = Problem(4096, 4096, 64)
    naive, fa1, fa2 = (traffic(problem, order).total for order in ("naive", "fa1", "fa2"))
    assert naive > fa1 > fa2
    naive, fa1, fa2 = (
        traffic(problem, order, stage="backward").total for order in ("naive", "fa1", "fa2")
    )
    assert naive > 2 * max(fa1, fa2)
    assert fa2 > fa1  # going back, FA2 sums dQ in float32: more bytes, less rounding


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"queries": 0}, "queries must be at least 1, got 0"),
        ({"heads": -1}, "heads must be at least 1, got -1"),
        ({"dtype": torch.int8}, "dtype must be float16, .* got torch.int8"),
    ],
)
def test_problem_refuses_with_a_sentence(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Problem(**{"queries": 8, "keys": 8, "head_dim": 4, **changed})


def test_traffic_refuses_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="block_q must be at least 1, got 0"):
        traffic(Problem(8, 8, 4), block_q=0)
    with pytest.raises(ValueError, match=r'order must be one of .* got "fa4"'):
        traffic(Problem(8, 8, 4), "fa4")


@pytest.mark.parametrize("stage", ["forward", "backward"])
@pytest.mark.parametrize("entry", GPUS, ids=lambda entry: entry.name)
def test_largest_blocks_fit_and_larger_ones_do_not(entry: object, stage: str) -> None:
    for head_dim, dtype in itertools.product((16, 64, 256), (torch.float16, torch.float32)):
        best = largest_blocks(entry, head_dim, dtype, stage)
        assert best.fits
        assert best.chip_bytes == footprint(
            best.block_q, best.block_k, head_dim, dtype, "fa2", stage
        )
        assert best.budget == entry.sram_per_sm
        if max(best.block_q, best.block_k) < 1024:
            for block_q, block_k in (
                (2 * best.block_q, best.block_k),
                (best.block_q, 2 * best.block_k),
            ):
                assert not budget(entry, block_q, block_k, head_dim, dtype, stage).fits


def test_blocks_that_no_sm_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="head_dim must be small enough for 65536 bytes"):
        largest_blocks(gpu("T4"), 100_000, torch.float16)


def test_the_papers_rule() -> None:
    blocks = paper_blocks(gpu("A100 SXM 80GB"), 64, torch.float16)
    assert (blocks.block_q, blocks.block_k) == (64, 164 * 1024 // 2 // (4 * 64))


def test_table_names_its_sources() -> None:
    assert [entry.name.split()[0] for entry in GPUS] == [
        "V100", "T4", "A100", "RTX", "RTX", "L4", "H100", "H200"
    ]  # fmt: skip
    for entry in GPUS:
        assert len(entry.sources) == 2
        assert entry.peak[torch.float16] > entry.peak[torch.float32]
    assert torch.bfloat16 not in gpu("V100 SXM2").peak
    with pytest.raises(ValueError, match=r'gpu must be one of V100 SXM2, .* got "Cray-1"'):
        gpu("Cray-1")


def test_roofline_is_memory_left_of_the_ridge_and_compute_right_of_it() -> None:
    a100 = gpu("A100 SXM 80GB")
    ridge = 312e12 / 2039e9
    left = roofline(a100, Traffic(500, 500, int(1000 * ridge * 0.9), 0), torch.bfloat16)
    right = roofline(a100, Traffic(500, 500, int(1000 * ridge * 1.1), 0), torch.bfloat16)
    assert left.ridge == pytest.approx(ridge)
    assert (left.bound, right.bound) == ("memory", "compute")
    assert left.seconds == pytest.approx(1000 / 2039e9)
    assert left.attainable == pytest.approx(0.9 * 312e12, rel=0.01)
    assert right.attainable == 312e12
    long = Problem(16384, 16384, 64)
    assert roofline(a100, traffic(long, "naive"), torch.bfloat16).bound == "memory"
    assert roofline(a100, traffic(long, "fa2", block_q=256), torch.bfloat16).bound == "compute"
    with pytest.raises(ValueError, match=r"dtype must be one of float16, .* got float64"):
        roofline(a100, traffic(long), torch.float64)


def test_a_race_takes_turns(device: torch.device) -> None:
    problem = Problem(96, 96, 16, heads=2, dtype=torch.float32, causal=True)
    laps = list(race(problem, device=device, rounds=3, stage="backward"))
    names = [lap.impl for lap in laps]
    assert names[1:3] == ["sdpa", "reference"]
    assert names == names[:3] * 3
    assert [lap.round for lap in laps[::3]] == [0, 1, 2]
    assert statistics.median(lap.seconds for lap in laps) > 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"impls": ["cudnn"]}, 'impl must be "tiled", .* got "cudnn"'),
        ({"problem": Problem(8, 9, 4, causal=True)}, "queries must equal keys .* got 8 and 9"),
    ],
)
def test_race_refuses_with_a_sentence(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        race(**{"problem": Problem(8, 8, 4, dtype=torch.float32), **changed})


def test_peak_memory_is_the_matrix_for_naive_and_not_for_ours() -> None:
    problem = Problem(2048, 2048, 16, heads=2, dtype=torch.float32)
    ours, naive = (peak_bytes(problem, impl) for impl in ("tiled", "reference"))
    if ours is None:
        pytest.skip("this system does not tell a process its peak memory")
    matrix = 2 * 2048 * 2048 * 4
    assert naive > matrix
    assert ours < matrix / 2


def test_every_pass_has_a_formula() -> None:
    for order, stage in ALGORITHMS:
        assert traffic(Problem(8, 8, 4), order, stage=stage).total > 0

"""The trace: it is the algorithm, it counts what it moves, and its records are whole."""

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as sdpa

from core.flash_attention import (
    Tiles,
    answer,
    attention,
    count_steps,
    exact_prefix,
    rounding_errors,
    source,
    trace,
)
from core.flash_attention.passes import ALGORITHMS
from core.flash_attention.tiled import block_size

ORDERS = ("fa2", "fa1", "naive")
CASES = [  # queries, keys, block of queries, block of keys
    (24, 24, 4, 4),
    (17, 29, 5, 7),
    (29, 17, 7, 5),
    (7, 7, 1, 1),
    (9, 30, 64, 3),
    (30, 2, 8, 8),
    (1, 1, 4, 4),
]


def head(
    queries: int, keys: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    return [
        torch.randn(length, 8, generator=generator, device=generator.device, dtype=torch.float64)
        .to(dtype)
        .requires_grad_()
        for length in (queries, keys, keys)
    ]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_answer_is_attention(
    order: str, causal: bool, case: tuple[int, ...], generator: torch.Generator
) -> None:
    queries, keys, block_q, block_k = case
    qkv = head(queries, keys, generator)
    upstream = torch.randn_like(qkv[0])
    out = attention(*(each[None, None] for each in qkv), causal=causal, impl="reference")[0, 0]
    grads = torch.autograd.grad(out, qkv, upstream)
    result = answer(
        trace(*qkv, block_q=block_q, block_k=block_k, causal=causal, order=order, backward=upstream)
    )
    ours = (result.out, result.grad_q, result.grad_k, result.grad_v)
    for mine, other in zip(ours, (out, *grads), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-13)
    if order != "naive":
        scores = qkv[0] @ qkv[1].mT / 8**0.5
        if causal:
            hidden = torch.ones_like(scores).triu(keys - queries + 1) > 0
            scores = scores.masked_fill(hidden, -torch.inf)
        torch.testing.assert_close(result.lse, scores.logsumexp(-1))


def test_trace_and_tiled_are_one_implementation(generator: torch.Generator) -> None:
    qkv = head(700, 700, generator, torch.float32)
    block = block_size(1, generator.device.type)
    assert block < 700
    out = attention(*(each[None, None] for each in qkv), causal=True, impl="tiled")
    grads = torch.autograd.grad(out.sum(), qkv)
    result = answer(trace(*qkv, block_q=block, block_k=block, causal=True, backward=True))
    assert torch.equal(result.out, out[0, 0])
    for mine, other in zip((result.grad_q, result.grad_k, result.grad_v), grads, strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("order", ["fa2", "fa1"])
@pytest.mark.parametrize("case", CASES)
def test_every_tile_is_computed_once_or_skipped_as_hidden(
    order: str, case: tuple[int, ...], generator: torch.Generator
) -> None:
    queries, keys, block_q, block_k = case
    q, k, v = head(queries, keys, generator)
    steps = list(trace(q, k, v, block_q=block_q, block_k=block_k, causal=True, order=order))
    visible = torch.ones(queries, keys).tril(keys - queries) > 0
    computed = [(step.i, step.j) for step in steps if step.phase == "scores"]
    skipped = [(step.i, step.j) for step in steps if step.phase == "skip"]
    for step in steps:
        if step.phase in ("scores", "skip"):
            tile = visible[slice(*step.rows), slice(*step.cols)]
            assert tile.any() == (step.phase == "scores")
    grid = list(itertools.product(range(-(-queries // block_q)), range(-(-keys // block_k))))
    assert sorted(computed + skipped) == grid
    by_row, by_column = sorted(computed), sorted(computed, key=lambda tile: tile[::-1])
    assert computed == (by_row if order == "fa2" else by_column)


@pytest.mark.parametrize("order", ["fa2", "fa1"])
@pytest.mark.parametrize("causal", [False, True])
def test_after_every_tile_o_is_attention_over_the_keys_seen(
    order: str, causal: bool, generator: torch.Generator
) -> None:
    q, k, v = (each.detach() for each in head(17, 29, generator))
    tiles = 0
    for step in trace(q, k, v, block_q=5, block_k=7, causal=causal, order=order):
        if step.phase == "accumulate":
            exact = exact_prefix(q, k, v, rows=slice(*step.rows), seen=step.cols[1], causal=causal)
            total = step.chip["l"].clamp_min(1e-300) if order == "fa2" else 1.0
            torch.testing.assert_close(step.chip["o"] / total, exact, rtol=0, atol=1e-13)
            tiles += 1
    assert tiles >= 10


def test_rescaling_is_the_fading_of_what_was_there(generator: torch.Generator) -> None:
    q, k, v = head(16, 40, generator)
    faded = 0
    for step in trace(q, k, v, block_q=4, block_k=4):
        if step.phase == "softmax":
            assert (step.chip["m"] >= step.before["m"]).all()
            torch.testing.assert_close(step.chip["p"], torch.exp(step.before["s"] - step.chip["m"]))
            m_before = step.before["m"]
        if step.phase == "rescale":
            torch.testing.assert_close(step.rescale, torch.exp(m_before - step.chip["m"]))
            torch.testing.assert_close(step.chip["o"], step.rescale * step.before["o"])
            total = step.rescale * step.before["l"] + step.chip["p"].sum(-1, keepdim=True)
            torch.testing.assert_close(step.chip["l"], total)
            faded += bool((step.rescale < 1).any())
        elif step.phase != "rescale":
            assert step.rescale is None
    assert faded > 8


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_counters_are_the_sum_of_the_moves_and_the_chip_is_what_it_holds(
    order: str, dtype: torch.dtype, generator: torch.Generator
) -> None:
    qkv = head(17, 29, generator, dtype)
    steps = list(trace(*qkv, block_q=5, block_k=7, causal=True, order=order, backward=True))
    assert [step.index for step in steps] == list(range(len(steps)))
    for stage, group in itertools.groupby(steps, lambda step: step.stage):
        read = written = 0
        before = None
        for step in group:
            read += sum(move.bytes for move in step.moves if not move.write)
            written += sum(move.bytes for move in step.moves if move.write)
            assert (step.read, step.written) == (read, written), (stage, step.phase)
            assert {held.name for held in step.held} == set(step.chip)
            assert step.chip_bytes == sum(x.numel() * x.element_size() for x in step.chip.values())
            assert step.before is before or (before is None and not step.before)
            before = step.chip
    assert steps[-1].phase == "done"
    assert not steps[-1].moves
    assert all(step.result is None for step in steps[:-1])


def test_held_blocks_carry_their_numbers(generator: torch.Generator) -> None:
    q, k, v = head(16, 16, generator)
    steps = list(trace(q, k, v, block_q=4, block_k=4, backward=True))
    step = next(s for s in steps if (s.phase, s.i, s.j) == ("accumulate", 2, 3))
    assert {held.name: (held.i, held.j) for held in step.held} == {
        **dict.fromkeys("qmloa", (2, None)),
        **dict.fromkeys("kv", (None, 3)),
        "p": (2, 3),
    }
    assert (step.rows, step.cols) == ((8, 12), (12, 16))
    step = next(s for s in steps if (s.phase, s.i, s.j) == ("grad_q", 1, 2))
    places = {held.name: (held.i, held.j) for held in step.held}
    assert places["dq"] == (1, None)
    assert places["dk"] == (None, 2)
    assert places["ds"] == (1, 2)


def test_records_keep_what_they_saw(generator: torch.Generator) -> None:
    q, k, v = head(16, 16, generator)
    steps = trace(q, k, v, block_q=4, block_k=4)
    early = [next(steps) for _ in range(8)]
    kept = [{name: value.clone() for name, value in step.chip.items()} for step in early]
    list(steps)
    for step, copies in zip(early, kept, strict=True):
        assert all(torch.equal(step.chip[name], copies[name]) for name in copies)


@pytest.mark.parametrize(("order", "stage"), list(ALGORITHMS))
def test_source_says_where_every_phase_is(
    order: str, stage: str, generator: torch.Generator
) -> None:
    qkv = head(9, 9, generator, torch.float16)
    text, lines = source(order, stage).text, source(order, stage).lines
    steps = trace(*qkv, block_q=4, block_k=4, causal=True, order=order, backward=True)
    phases = {step.phase: step.lines for step in steps if step.stage == stage}
    phases.pop("done", None)
    assert phases == lines
    spans = sorted(lines.values())
    assert all(first <= last for first, last in spans)
    assert all(mine[1] < other[0] for mine, other in itertools.pairwise(spans))
    rows = text.splitlines()
    for phase, (first, last) in lines.items():
        lit = "\n".join(rows[first - 1 : last])
        assert "yield" not in lit
        assert {"scores": "matmul", "softmax": "exp", "skip": "hides", "write": "hbm"}.get(
            phase, ""
        ) in lit
        assert any(f'yield "{phase}"' in row for row in rows[last : last + 1])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("causal", [False, True])
def test_steps_are_known_beforehand(order: str, causal: bool, generator: torch.Generator) -> None:
    half = order != "naive"
    dtype = torch.float16 if half else torch.float64
    for (queries, keys, block_q, block_k), backward in itertools.product(CASES, (False, True)):
        steps = trace(
            *head(queries, keys, generator, dtype),
            block_q=block_q,
            block_k=block_k,
            causal=causal,
            order=order,
            backward=backward,
        )
        tiles = Tiles(queries, keys, block_q, block_k, causal, 1.0)
        assert len(list(steps)) == count_steps(tiles, order, backward=backward, half=half)


def test_rounding_grows_with_the_key_blocks_in_fa1_and_not_in_fa2(
    generator: torch.Generator,
) -> None:
    q, k, v = (each.detach() for each in head(96, 96, generator))
    few, many = (
        {
            (error.dtype, error.order): error
            for error in rounding_errors(q, k, v, block_q=48, block_k=block)
        }
        for block in (96, 2)
    )
    for dtype in (torch.bfloat16, torch.float16):
        assert many[dtype, "fa1"].rms > 1.5 * few[dtype, "fa1"].rms
        assert many[dtype, "fa2"].rms < 1.2 * few[dtype, "fa2"].rms
        assert many[dtype, "fa2"].largest <= 2 * many[dtype, "naive"].largest
    assert all(many[torch.float32, order].largest < 1e-6 for order in ORDERS)


def test_operands_are_rounded_and_sums_are_not(generator: torch.Generator) -> None:
    q, k, v = head(16, 16, generator, torch.bfloat16)
    for step in trace(q, k, v, block_q=8, block_k=8):
        if step.phase == "accumulate":
            added = step.chip["p"].bfloat16().float() @ step.chip["v"].float()
            torch.testing.assert_close(step.chip["o"], step.before["o"] + added, rtol=0, atol=1e-6)
            assert not torch.allclose(step.chip["p"], step.chip["p"].bfloat16().float())
            assert step.chip["o"].dtype == torch.float32


def test_float16_overflows_in_naive_alone(generator: torch.Generator) -> None:
    q, k, v = (each.detach() for each in head(32, 32, generator))
    errors = rounding_errors(
        300 * q, 300 * k, v, block_q=8, block_k=8, dtypes=[torch.float16, torch.bfloat16]
    )
    assert {(e.dtype, e.order) for e in errors if not e.finite} == {(torch.float16, "naive")}


def test_a_plain_backward_is_the_gradient_of_the_sum(generator: torch.Generator) -> None:
    qkv = head(9, 9, generator)
    grads = torch.autograd.grad(sdpa(*qkv).sum(), qkv)
    result = answer(trace(*qkv, block_q=4, block_k=4, backward=True))
    torch.testing.assert_close((result.grad_q, result.grad_k, result.grad_v), grads)
    assert answer(trace(*qkv, block_q=4, block_k=4)).grad_q is None


X = torch.zeros(5, 4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"block_q": 0}, "block_q must be at least 1, got 0"),
        ({"block_k": -3}, "block_k must be at least 1, got -3"),
        ({"order": "fa3"}, 'order must be one of "fa2", "fa1", "naive" .* got "fa3"'),
        ({"q_TD": X[None]}, r"q must have 2 dimensions \(T, D\)|agree in head dimension"),
        ({"q_TD": X[None], "k_SD": X[None], "v_SD": X[None]}, r"q must have 2 dimensions"),
        ({"q_TD": X[:0]}, r"q must have at least 1 row and 1 column, got shape \(0, 4\)"),
        ({"backward": X.mT}, r"backward must have the shape \(5, 4\) .* got \(4, 5\)"),
    ],
)
def test_refuses_with_a_sentence_before_the_first_step(
    changed: dict[str, object], message: str
) -> None:
    arguments = {"q_TD": X, "k_SD": X, "v_SD": X, "block_q": 2, "block_k": 2, **changed}
    q, k, v = (arguments.pop(name) for name in ("q_TD", "k_SD", "v_SD"))
    with pytest.raises(ValueError, match=message):
        trace(q, k, v, **arguments)


def test_source_refuses_an_unknown_pass() -> None:
    with pytest.raises(ValueError, match='got "fa2" and "sideways"'):
        source("fa2", "sideways")

"""The FlashAttention lab: the stage shows the trace, the trace is the algorithm."""

import inspect
import json
import math

import numpy as np
import pytest
import torch

from core.flash_attention import attention
from core.flash_attention.passes import algorithm
from labs.codec import decode
from labs.controls import Refusal
from labs.flash_attention import LAB
from labs.flash_attention.settings import SHOW, Settings, head_of
from labs.flash_attention.views import race
from labs.lab import Session, drain


def result_of(**values):
    settings = Settings(**values)
    return settings, drain(LAB.run(settings, Session()))


def picture(**values):
    settings, result = result_of(**values)
    return LAB.scene(settings, result).json()


@pytest.mark.parametrize("show", [show for show in SHOW if show != "time"])
@pytest.mark.parametrize("stage", ["forward", "backward"])
@pytest.mark.parametrize("order", ["fa2", "fa1"])
def test_every_view_is_drawn_and_passes_its_check(show, stage, order):
    scene = picture(show=show, stage=stage, order=order)
    assert len(scene["views"]) == 2
    assert scene["badge"]["ok"], scene["badge"]
    assert len(scene["code"]["lines"]) == scene["frames"]


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_the_traced_answer_is_the_answer_of_attention(dtype):
    settings, result = result_of(dtype=dtype, block_q=5, block_k=7)
    head = head_of(settings)
    inputs = (x[None, None] for x in (head.q, head.k, head.v))
    answer = attention(*inputs, causal=True, impl="tiled")[0, 0]
    traced = result.runs[0].steps[-1].result.out
    tolerance = {"fp32": 1e-5, "bf16": 2e-2, "fp16": 2e-3}[dtype]  # other tiles round otherwise
    torch.testing.assert_close(traced, answer, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("stage", ["forward", "backward"])
@pytest.mark.parametrize("causal", [True, False])
def test_bytes_counted_are_the_bytes_of_the_formula(stage, causal):
    for show in ("race", "orders"):
        _, result = result_of(show=show, stage=stage, causal=causal, block_q=5, block_k=7)
        for run in result.runs:
            assert run.counted == run.formula > 0


def test_the_race_is_at_one_bandwidth():
    _, result = result_of(source="random", length=64, block_q=32, causal=False)
    ours, theirs = (run.of("forward") for run in result.runs)
    at, other = race(ours, theirs)
    moved = np.array([0, *(step.read + step.written for step in ours)])
    behind = np.array([0, *(step.read + step.written for step in theirs)])
    both = at < len(ours)
    np.testing.assert_allclose(
        np.interp(at[both], np.arange(len(moved)), moved),
        np.interp(other[both], np.arange(len(behind)), behind),
    )
    assert at[-1] == len(ours)
    assert other[-1] == len(theirs)


def test_the_lit_line_is_the_one_of_the_step():
    settings, result = result_of()
    scene = LAB.scene(settings, result).json()
    source = inspect.getsourcelines(inspect.getmodule(algorithm("fa2")))[0]
    steps = result.runs[0].of("forward")
    frame = 1 + next(i for i, step in enumerate(steps) if step.phase == "softmax")
    assert "chip.m" in source[scene["code"]["lines"][frame] - 1]


def test_differences_compare_the_rows_in_hand_with_exact_attention():
    _, result = result_of(dtype="fp32")
    found = [x for x in result.differences if not math.isnan(x)]
    assert 0 < max(found) < 1e-5


def test_large_scores_break_the_naive_softmax_in_half_precision_only():
    _, result = result_of(dtype="fp16", magnitude=20000.0)
    ours, naive = (run.steps[-1].result.out for run in result.runs)
    assert torch.isfinite(ours).all()
    assert not torch.isfinite(naive).all()


def test_the_badge_allows_what_rounding_does_to_the_naive_algorithm_too():
    for seed in range(4, 12):
        scene = picture(stage="backward", magnitude=10.0, seed=seed, dtype="bf16")
        assert scene["badge"]["ok"], (seed, scene["badge"])


def test_one_row_takes_in_one_key_per_frame():
    scene = picture(show="row", row=14)
    online = scene["views"][1]
    assert online["row"] == 14
    assert scene["frames"] == len(online["scores"]) + 1
    assert all(score is None for score in online["scores"][15:])
    at = decode(scene["views"][0]["at"])
    assert (np.diff(at) >= 0).all()


def test_the_snippet_traces_the_same_answer(capsys):
    settings, result = result_of(block_q=8, block_k=8)
    names: dict = {}
    exec(LAB.scene(settings, result).json()["python"], names)
    capsys.readouterr()
    torch.testing.assert_close(names["step"].result.out, result.runs[0].steps[-1].result.out)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"sentence": " "}, "sentence"),
        ({"sentence": "a " * 200}, "sentence must have at most 128 tokens, got 200"),
        (
            {"source": "random", "length": 128, "block_q": 1, "block_k": 1, "causal": False},
            "must give at most 8000 steps",
        ),
    ],
)
def test_what_cannot_be_traced_is_refused(values, sentence):
    with pytest.raises(Refusal, match=sentence):
        result_of(**values)


@pytest.mark.parametrize("text", ["玻璃柜里有一只红苹果", "🍎 👩‍🔬 tea", "x"])
def test_any_language_makes_tokens(text):
    scene = picture(sentence=text)
    assert "".join(scene["views"][0]["row_labels"]) == text.replace(" ", "")


def test_a_tile_beyond_the_budget_is_shown_not_forbidden():
    scene = picture(source="random", length=128, head_dim="128", block_q=64, block_k=64, gpu="t4")
    tiles = scene["views"][0]
    used = next(item for item in scene["readouts"] if item["id"] == "chip")
    assert max(used["values"]) * 1024 > tiles["capacity"]


def test_the_largest_grid_of_tiles_stays_below_a_megabyte():
    scene = picture(source="random", length=128, causal=False, show="orders")
    assert len(json.dumps(scene)) < 2_000_000
    scene = picture(source="random", length=128, causal=False)
    assert len(json.dumps(scene)) < 1_000_000


def test_timing_runs_all_in_turn_and_reports_memory():
    settings, result = result_of(show="time", tokens=256)
    timing = result.timing
    assert {"sdpa", "reference"} < set(timing.laps)
    assert {len(laps) for laps in timing.laps.values()} == {5}
    scene = LAB.scene(settings, result).json()
    assert [view["kind"] for view in scene["views"]] == ["plot", "plot"]

"""Views of the players `tiles` and `online`, out of the records of `core.flash_attention.trace`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.flash_attention.online import online_softmax
from core.flash_attention.records import Step
from labs.codec import encode

Json = dict[str, Any]

NAN, INFINITY = 2e38, 1e38
"""What stands for NaN and ±infinity on the wire, which carries finite numbers only."""

BY_KEY = ("K", "V", "dK", "dV")
ARRAYS = (
    *("Q", "K", "V", "O", "dO", "L", "m", "l", "D"),
    *("S", "P", "dP", "dS", "dQ_sum", "dQ", "dK", "dV"),
)
CLOSING = {"fa2": ("accumulate", "grad_k"), "fa1": ("accumulate", "grad_k")}
"""The phase after which a tile is done, forward and backward."""


@dataclass(frozen=True)
class Grid:
    """What was traced, as the player needs to know it.

    Attributes:
        order: "fa2", "fa1" or "naive".
        queries: Number of queries.
        keys: Number of keys.
        dim: Head dimension.
        block_q: Queries per tile.
        block_k: Keys per tile (the naive algorithm takes all keys).
        dtype: "fp32", "bf16" or "fp16".
        capacity: Bytes of on-chip memory to compare with.
        gpu: Whose they are.
        labels: One token per query and per key, or None.
        shown: Columns of the output that are drawn.
    """

    order: str
    queries: int
    keys: int
    dim: int
    block_q: int
    block_k: int
    dtype: str = "fp32"
    capacity: int = 0
    gpu: str = ""
    labels: tuple[str, ...] | None = None
    shown: int = 8


def tiles_view(
    steps: Sequence[Step],
    grid: Grid,
    *,
    stage: str = "forward",
    at: Any = None,
    row: int | None = None,
) -> Json:
    """The view of one pass.

    Args:
        steps: The whole trace, "done" included; of a trace with a backward pass, both passes.
        grid: What was traced.
        stage: "forward" or "backward".
        at: How many steps are done at every frame of the transport (not decreasing, between
            whole numbers inside a step), or None for one step a frame.
        row: The query that the viewer chose.

    Returns:
        The fields of the player's own; id, title and note are the caller's.
    """
    own = [step for step in steps if step.stage == stage and step.phase != "done"]
    scores, weights, masked = _matrices(steps, grid)
    block_cols = grid.keys if grid.order == "naive" else grid.block_k
    return {
        "kind": "tiles",
        "order": grid.order,
        "backward": stage == "backward",
        "rows": grid.queries,
        "cols": grid.keys,
        "block_rows": grid.block_q,
        "block_cols": block_cols,
        "row_labels": None if grid.labels is None else list(grid.labels[: grid.queries]),
        "col_labels": None if grid.labels is None else list(grid.labels[: grid.keys]),
        "dim": grid.dim,
        "dtype": grid.dtype,
        "scores": _floats(scores),
        "weights": _floats(weights),
        "masked": _integers(masked),
        "steps": _columns(own, grid, stage),
        "tracks": _tracks(own, grid, stage, steps[-1]),
        "arrays": _arrays(own, grid),
        "at": None if at is None else _floats(np.asarray(at)),
        "capacity": grid.capacity,
        "gpu": grid.gpu,
        "row": row,
        "pick": True,
    }


def _matrices(steps: Sequence[Step], grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """S as it was computed, the softmax of its rows as the pass left it, and what was masked."""
    scores = np.full((grid.queries, grid.keys), -np.inf)
    weights = np.zeros_like(scores)
    peak, total = np.zeros((2, grid.queries, 1))
    for step in steps:
        if step.stage == "backward" or step.rows is None:
            continue
        rows = slice(*step.rows)
        cols = slice(*(step.cols or (0, grid.keys)))
        if step.phase == "scores":
            scores[rows, cols] = _numpy(step.chip["s"])
        if step.phase == "softmax" and grid.order == "naive":
            weights[rows] = _numpy(step.chip["p"])
        if "m" in step.chip:
            peak[rows], total[rows] = _numpy(step.chip["m"]), _numpy(step.chip["l"])
    masked = np.isneginf(scores)
    if grid.order != "naive":
        finite = np.where(np.isneginf(peak), 0.0, peak)
        weights = np.exp(scores - finite) / np.where(total == 0, 1.0, total)
    return np.where(masked, 0.0, scores), np.where(masked, 0.0, weights), masked


def _columns(steps: Sequence[Step], grid: Grid, stage: str) -> Json:
    """The steps, field by field; what repeats is numbered."""
    phases = list(dict.fromkeys(step.phase for step in steps))
    closing = CLOSING.get(grid.order, ("output", "grad_k"))[stage == "backward"]
    held, held_sets = _numbered([[b.name, b.bytes] for b in step.held] for step in steps)
    moves, move_sets = _numbered(
        [[m.array, m.start, m.stop, m.bytes, int(m.write)] for m in step.moves] for step in steps
    )
    return {
        "phases": phases,
        "phase": _integers([phases.index(step.phase) for step in steps]),
        "i": _integers([-1 if step.i is None else step.i for step in steps]),
        "j": _integers([-1 if step.j is None else step.j for step in steps]),
        "done": _integers([step.phase == closing for step in steps]),
        "read": _growth([step.read for step in steps]),
        "written": _growth([step.written for step in steps]),
        "flops": _growth([step.flops for step in steps]),
        "held": _integers(held),
        "held_sets": held_sets,
        "moves": _integers(moves),
        "move_sets": move_sets,
    }


def _numbered(lists: Iterable[list[Any]]) -> tuple[list[int], list[Any]]:
    """Every list's number among the different ones, and those."""
    known: dict[str, int] = {}
    kept: list[Any] = []
    numbers = []
    for each in lists:
        name = repr(each)
        if name not in known:
            known[name] = len(kept)
            kept.append(each)
        numbers.append(known[name])
    return numbers, kept


def _tracks(steps: Sequence[Step], grid: Grid, stage: str, last: Step) -> Json:
    """The running quantities, each as the list of its changes."""

    def rows(name: str) -> Callable[[Step], Tensor | None]:
        return lambda step: step.chip.get(name) if step.rows else None

    def cols(name: str) -> Callable[[Step], Tensor | None]:
        return lambda step: step.chip.get(name) if step.cols else None

    if stage == "forward":
        tracks = {"out": _track(steps, rows("o"), "rows", grid)}
        if grid.order != "naive":
            tracks |= {
                "m": _track(steps, rows("m"), "rows", grid, start=-math.inf, exact=True),
                "l": _track(steps, rows("l"), "rows", grid, exact=True),
                "a": _track(steps, lambda step: step.rescale, "rows", grid, start=1.0, every=True),
            }
        return tracks
    answer = last.result
    whole = {"write_v": answer and answer.grad_v, "write_k": answer and answer.grad_k}
    naive = grid.order == "naive"
    return {
        "out": _track(steps, rows("dq"), "rows", grid),
        "out_k": _track(steps, _all(whole, "write_k") if naive else cols("dk"), "cols", grid),
        "out_v": _track(steps, _all(whole, "write_v") if naive else cols("dv"), "cols", grid),
    }


def _all(answers: dict[str, Any], phase: str) -> Callable[[Step], Tensor | None]:
    """What one phase writes as a whole."""
    return lambda step: answers[phase] if step.phase == phase else None


def _track(
    steps: Sequence[Step],
    value: Callable[[Step], Tensor | None],
    side: str,
    grid: Grid,
    *,
    start: float = 0.0,
    exact: bool = False,
    every: bool = False,
) -> Json:
    """The changes of a quantity that has one row per query (or per key).

    `exact` sends float32 instead of 16 bits; `every` keeps every value, changed or not.
    """
    length = grid.queries if side == "rows" else grid.keys
    now: np.ndarray | None = None
    at, first, stop, values = [], [], [], []
    for index, step in enumerate(steps):
        tensor = value(step)
        if tensor is None:
            continue
        new = _numpy(tensor)[:, : grid.shown]
        if now is None:
            now = np.full((length, new.shape[1]), start)
        low, high = (step.rows if side == "rows" else step.cols) or (0, length)
        if not every and np.array_equal(now[low:high], new, equal_nan=True):
            continue
        now[low:high] = new
        at.append(index)
        first.append(low)
        stop.append(high)
        values.append(new)
    width = 1 if now is None else now.shape[1]
    flat = np.concatenate(values) if values else np.zeros((0, width))
    return {
        "side": side,
        "width": width,
        "start": float(np.clip(start, -INFINITY, INFINITY)),
        "steps": _integers(at),
        "first": _integers(first),
        "stop": _integers(stop),
        "values": _floats(flat) if exact or every or not np.isfinite(flat).all() else encode(flat),
    }


def _arrays(steps: Sequence[Step], grid: Grid) -> list[Json]:
    """The matrices in HBM that this pass touches."""
    found: dict[str, Json] = {}
    for move in (move for step in steps for move in step.moves):
        rows = grid.keys if move.array in BY_KEY else grid.queries
        size = move.bytes // (move.stop - move.start) * rows
        fresh = {"name": move.array, "rows": rows, "bytes": size, "input": not move.write}
        found.setdefault(move.array, fresh)
    return [found[name] for name in ARRAYS if name in found]


def online_view(
    scores: Tensor,
    values: Tensor | None,
    *,
    labels: Sequence[str] | None,
    at: Any = None,
    block: int = 1,
) -> Json:
    """One row of scores (−∞ where masked) taken in element by element.

    Args:
        scores: Shape (S,).
        values: Shape (S, D), or None.
        labels: One token per score, or None.
        at: How many elements are in at every frame, or None for one a frame.
        block: Keys per tile, marked on the axis.

    Returns:
        The fields of the player's own.
    """
    steps = list(online_softmax(scores, values))
    shown = (
        None
        if values is None
        else np.stack([np.zeros_like(_numpy(steps[0].out)), *(_numpy(s.out) for s in steps)])
    )
    return {
        "kind": "online",
        "labels": None if labels is None else list(labels),
        "scores": [None if s.score == -math.inf else s.score for s in steps],
        "block": block,
        "m": [None, *(None if s.m == -math.inf else s.m for s in steps)],
        "l": [0.0, *(s.total for s in steps)],
        "rescale": [s.rescale for s in steps],
        "out": None if shown is None else encode(shown[:, :8], quantise=None),
        "at": None if at is None else [float(a) for a in at],
    }


def race(
    leader: Sequence[Step], other: Sequence[Step], tail: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Two passes on one clock, at the same memory bandwidth.

    The leader makes one step a frame; the other has moved as many bytes at every frame. When the
    leader is through, the other goes on at the leader's mean rate.

    Args:
        leader: One pass, without its "done".
        other: The other.
        tail: Frames left to the other after the leader's end; None for as many as its bytes need at
            the leader's mean rate.

    Returns:
        Steps done at every frame, for the leader and for the other.
    """
    ours = np.array([0, *(step.read + step.written for step in leader)], float)
    theirs = np.array([0, *(step.read + step.written for step in other)], float)
    rate = ours[-1] / len(leader)
    if tail is None:
        tail = max(0, math.ceil((theirs[-1] - ours[-1]) / rate))
    clock = np.concatenate(
        [ours, ours[-1] + (theirs[-1] - ours[-1]) * np.arange(1, tail + 1) / max(tail, 1)]
    )
    first = np.minimum(np.arange(len(clock)), len(leader)).astype(float)
    return first, np.interp(clock, theirs, np.arange(len(theirs)))


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float64).numpy()


def _floats(values: Any) -> Json:
    """Exact to float32; what is not finite becomes the numbers that stand for it."""
    array = np.asarray(values, dtype=np.float64)
    return encode(np.nan_to_num(array, nan=NAN, posinf=INFINITY, neginf=-INFINITY), quantise=None)


def _integers(values: Any) -> Json:
    """Whole numbers, exact."""
    array = np.asarray(values, dtype=np.int64)
    return encode(array, quantise="int16" if abs(array).max(initial=0) < 2**15 else None)


def _growth(totals: Sequence[int]) -> Json:
    """Running totals as what every step adds."""
    return encode(np.diff(np.asarray(totals, dtype=np.float64), prepend=0), quantise=None)

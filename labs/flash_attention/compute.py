"""What the FlashAttention lab computes: traces, their check, rounding errors, timings."""

import math
import statistics
from collections.abc import Generator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from core.device import best_device
from core.flash_attention import (
    Lap,
    Problem,
    RoundingError,
    Step,
    Tiles,
    count_steps,
    exact_prefix,
    peak_bytes,
    rounding_errors,
    trace,
    traffic,
)
from core.flash_attention import race as timed_race
from labs.flash_attention.settings import DTYPES, Head, Settings, head_of
from labs.lab import Session
from labs.scene import Patch
from labs.text import Text

_LIGHT_STEPS = 900
_ROUNDS = 5
MOST_TIMED = 4096
HEADS_TIMED = 4


@dataclass(frozen=True)
class Run:
    """One traced pass.

    Attributes:
        order: "fa2", "fa1" or "naive".
        steps: The whole trace, "done" included.
        error: Largest difference of its answer from SDPA in float64.
        counted: Bytes that the trace moved in the shown stage.
        formula: Bytes that the formula gives.
    """

    order: str
    steps: tuple[Step, ...]
    error: float
    counted: int
    formula: int

    def of(self, stage: str) -> list[Step]:
        """Returns the steps of one stage, without the last record."""
        return [step for step in self.steps if step.stage == stage and step.phase != "done"]


@dataclass(frozen=True)
class Timing:
    """Seconds per call of each implementation, in turn, and its peak memory."""

    device: str
    tokens: int
    laps: dict[str, list[float]] = field(default_factory=dict)
    peaks: dict[str, int | None] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """Returns the median of an implementation's laps, in seconds."""
        return statistics.median(self.laps[name])


@dataclass(frozen=True)
class Result:
    """Everything that the stage of the lab is drawn from.

    Attributes:
        head: The inputs, in the chosen precision.
        runs: The traced passes, left to right.
        differences: Per step of the first run, the largest difference of the rows in hand from
            exact attention over the keys seen so far; NaN before there is any.
        naive_error: Error of the naive algorithm in the same precision: what rounding alone does.
        rounding: Errors of every order in every precision, where they are shown.
        timing: Where they are shown.
    """

    head: Head
    runs: tuple[Run, ...]
    differences: tuple[float, ...] = ()
    naive_error: float = 0.0
    rounding: tuple[RoundingError, ...] = ()
    timing: Timing | None = None


def light(settings: Settings, session: Session) -> bool:
    """Says whether the picture comes at once: a short trace, and nothing to time."""
    del session
    if settings.show == "time":
        return False
    tokens = len(head_of(settings).q)
    tiles = Tiles(tokens, tokens, settings.block_q, settings.block_k, settings.causal, 1.0)
    steps = count_steps(tiles, "fa1", backward=settings.stage == "backward")
    return steps * (2 if settings.show == "orders" else 1) <= _LIGHT_STEPS


def orders(settings: Settings) -> tuple[str, ...]:
    """Returns the algorithms on the stages, left to right."""
    if settings.show == "race":
        return settings.order, "naive"
    if settings.show == "orders":
        return "fa1", "fa2"
    return (settings.order,)


def run(settings: Settings, session: Session) -> Generator[Patch | Result, None, Result]:
    """Traces what the stages show; times it where that is asked for."""
    del session
    head = head_of(settings)
    runs = []
    for order in orders(settings):
        yield Patch(progress=len(runs) / 2, doing=Text("Tracing the tiles", "正在追踪分块"))
        runs.append(_run(settings, head, order))
    differences = _differences(settings, head, runs[0])
    rounding: tuple[RoundingError, ...] = ()
    if settings.show == "rounding":
        exact = head_of(settings)
        rounding = rounding_errors(
            exact.q.double(), exact.k.double(), exact.v.double(),
            block_q=settings.block_q, block_k=settings.block_k, causal=settings.causal,
        )  # fmt: skip
    naive = next((run for run in runs if run.order == "naive"), None)
    naive_error = (naive or _run(settings, head, "naive")).error
    result = Result(head, tuple(runs), differences, naive_error, rounding)
    if settings.show == "time":
        timing = yield from _timed(settings, result)
        result = replace(result, timing=timing)
    return result


def _run(settings: Settings, head: Head, order: str) -> Run:
    steps = tuple(
        trace(
            head.q, head.k, head.v, block_q=settings.block_q, block_k=settings.block_k,
            causal=settings.causal, order=order, backward=settings.stage == "backward",
        )
    )  # fmt: skip
    last = [step for step in steps if step.stage == settings.stage][-1]
    problem = problem_of(settings, len(head.q))
    formula = traffic(
        problem, order, block_q=settings.block_q, block_k=settings.block_k, stage=settings.stage
    )
    counted = last.read + last.written
    return Run(order, steps, _error(settings, head, steps[-1]), counted, formula.total)


def problem_of(settings: Settings, tokens: int, heads: int = 1) -> Problem:
    """Returns the problem of the lab's size as the formulas take it."""
    dim, dtype = int(settings.head_dim), DTYPES[settings.dtype]
    return Problem(tokens, tokens, dim, heads=heads, dtype=dtype, causal=settings.causal)


def _error(settings: Settings, head: Head, last: Step) -> float:
    """The answer's largest difference from torch's own attention in float64 on the same inputs."""
    assert last.result is not None
    q, k, v = (x.double().requires_grad_() for x in (head.q, head.k, head.v))
    exact = torch.nn.functional.scaled_dot_product_attention(
        q[None], k[None], v[None], is_causal=settings.causal
    )[0]
    if settings.stage == "forward":
        return _apart(last.result.out, exact)
    exact.sum().backward()
    found = (last.result.grad_q, last.result.grad_k, last.result.grad_v)
    return max(_apart(ours, x.grad) for ours, x in zip(found, (q, k, v), strict=True))


def _apart(ours: Tensor | None, exact: Tensor | None) -> float:
    """The largest difference, relative to the largest exact value."""
    assert ours is not None
    assert exact is not None
    largest = float((ours.double() - exact.detach()).abs().max() / exact.detach().abs().max())
    return largest if math.isfinite(largest) else math.inf


def _differences(settings: Settings, head: Head, first: Run) -> tuple[float, ...]:
    """Follows the rows in hand: o/l after each tile against exact attention over the keys seen."""
    found, now = [], math.nan
    for step in first.of(settings.stage):
        if step.phase == "accumulate" and settings.stage == "forward" and first.order == "fa2":
            assert step.rows is not None
            assert step.cols is not None
            exact = exact_prefix(
                head.q, head.k, head.v, rows=slice(*step.rows), seen=step.cols[1],
                causal=settings.causal,
            )  # fmt: skip
            total = step.chip["l"].double()
            ours = step.chip["o"].double() / torch.where(total == 0, torch.ones_like(total), total)
            now = float((ours - exact).abs().max())
        found.append(now)
    return tuple(found)


def _timed(settings: Settings, result: Result) -> Generator[Patch | Result, None, Timing]:
    """Times ours, torch's and the naive one in turn on the server's own device."""
    device = best_device()
    tokens = settings.tokens if device.type == "cuda" else min(settings.tokens, MOST_TIMED)
    problem = problem_of(settings, tokens, HEADS_TIMED)
    if device.type == "cpu":
        # Half precision is emulated there: its timings would say nothing.
        problem = replace(problem, dtype=torch.float32)
    timing = Timing(_name(device), tokens)
    laps: dict[str, list[float]] = {}
    for lap in timed_race(problem, device=device, stage=settings.stage, rounds=_ROUNDS):
        laps.setdefault(lap.impl, []).append(lap.seconds)
        yield _lap_told(lap)
        if len({len(each) for each in laps.values()}) == 1:
            timing = Timing(timing.device, tokens, {k: list(v) for k, v in laps.items()})
            yield replace(result, timing=timing)
    peaks = {}
    for impl in laps:
        yield Patch(progress=0.95, doing=Text(f"Memory of {impl}", f"{impl} 的内存"))
        peaks[impl] = peak_bytes(problem, impl, device=device, stage=settings.stage)
    return Timing(timing.device, tokens, laps, peaks)


def _lap_told(lap: Lap) -> Patch:
    doing = Text(
        f"{lap.impl}: {1000 * lap.seconds:.1f} ms", f"{lap.impl}：{1000 * lap.seconds:.1f} ms"
    )
    return Patch(progress=0.9 * (lap.round + 1) / _ROUNDS, doing=doing)


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, float32, {torch.get_num_threads()} threads"

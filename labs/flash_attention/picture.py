"""How the FlashAttention lab's result looks: tiles, one row, and the large picture."""

import inspect
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from core.flash_attention import Step, gpu, source
from core.flash_attention.passes import algorithm
from labs.flash_attention.charts import (
    budget_plot,
    memory_plot,
    roofline_plot,
    rounding_plot,
    seconds_plot,
    traffic_plot,
)
from labs.flash_attention.compute import Result, Run
from labs.flash_attention.settings import CHIPS, Settings
from labs.flash_attention.snippet import snippet
from labs.flash_attention.views import Grid, online_view, race, tiles_view
from labs.scene import Badge, CodeView, Drawn, Readout, Role, Scene, View
from labs.text import Text

NAMES = {
    "fa2": Text("FlashAttention-2", "FlashAttention-2"),
    "fa1": Text("FlashAttention-1", "FlashAttention-1"),
    "naive": Text("Naive", "朴素算法"),
}
TOLERANCES = {"fp32": 1e-5, "bf16": 3e-2, "fp16": 4e-3}
KIB = 1024
STILL = {"traffic", "time"}
"""Views of charts alone: nothing steps."""


def scene(settings: Settings, result: Result) -> Scene:
    """Draws a result; pure."""
    at = _clocks(settings, result)
    frames = len(at[0])
    first = result.runs[0]
    return Scene(
        views=_views(settings, result, at),
        frames=frames,
        seconds=max(12.0, frames / 12),
        loop="loop",
        tick_symbol="step",
        ticks=[float(math.ceil(x)) for x in at[0]],
        readouts=_readouts(settings, result, at),
        legend=_legend(settings),
        badge=_badge(settings, result),
        code=_code(settings, first, at[0]),
        python=snippet(settings),
        pick=("row",),
    )


def _clocks(settings: Settings, result: Result) -> list[np.ndarray]:
    """Returns, per stage, how many steps are done at every frame."""
    steps = [run.of(settings.stage) for run in result.runs]
    if settings.show in STILL:
        return [np.zeros(1)]
    if settings.show == "row":
        return [_row_clock(settings, result, steps[0])]
    if len(steps) == 2:
        return list(race(*steps)) if len(steps[0]) else [np.zeros(1), np.zeros(1)]
    return [np.arange(len(steps[0]) + 1, dtype=float)]


def _row_clock(settings: Settings, result: Result, steps: Sequence[Step]) -> np.ndarray:
    """Steps done when each key of the chosen row is in: a frame per key."""
    row = min(settings.row, len(result.head.q) - 1)
    clock = [0.0]
    for key in range(len(result.head.k)):
        mine = [
            index
            for index, step in enumerate(steps)
            if step.rows and step.cols and step.rows[0] <= row < step.rows[1]
            and step.cols[0] <= key < step.cols[1]
        ]  # fmt: skip
        if not mine:
            clock.append(clock[-1])
            continue
        first, last = steps[mine[0]].cols or (0, 1)
        share = (key + 1 - first) / (last - first)
        clock.append(max(clock[-1], mine[0] + share * (mine[-1] + 1 - mine[0])))
    return np.asarray(clock)


def _views(settings: Settings, result: Result, at: list[np.ndarray]) -> list[View]:
    views: list[View] = [
        _tiles(settings, result, run, at[index], ("left", "right")[index])
        for index, run in enumerate(result.runs)
    ]
    if settings.show == "row":
        views.append(_online(settings, result))
    if settings.show == "rounding":
        views.append(rounding_plot(result))
    if settings.show == "traffic":
        views = [traffic_plot(settings), roofline_plot(settings)]
    if settings.show == "budget":
        views.append(budget_plot(settings))
    if settings.show == "time":
        views = [seconds_plot(result), memory_plot(result)]
    return views


def _tiles(settings: Settings, result: Result, run: Run, at: np.ndarray, name: str) -> Drawn:
    chip = gpu(CHIPS[settings.gpu].en)
    grid = Grid(
        order=run.order,
        queries=len(result.head.q),
        keys=len(result.head.k),
        dim=int(settings.head_dim),
        block_q=min(settings.block_q, len(result.head.q)),
        block_k=min(settings.block_k, len(result.head.k)),
        dtype=settings.dtype,
        capacity=chip.sram_per_sm,
        gpu=chip.name,
        labels=result.head.labels,
    )
    row = min(settings.row, grid.queries - 1)
    fields = tiles_view(run.steps, grid, stage=settings.stage, at=at, row=row)
    return Drawn(id=name, title=NAMES[run.order], fields=fields)


def _online(settings: Settings, result: Result) -> Drawn:
    """The chosen row's scores, taken in element by element."""
    head = result.head
    row = min(settings.row, len(head.q) - 1)
    scores = head.q[row].double() @ head.k.double().T / math.sqrt(head.q.shape[1])
    if settings.causal:
        scores[row + 1 :] = -torch.inf
    fields = online_view(scores, head.v.double(), labels=head.labels, block=settings.block_k)
    fields |= {"row": row, "token": head.labels[row] if head.labels else None}
    title = Text(f"Row {row}, element by element", f"第 {row} 行，逐个元素")
    return Drawn(id="right", title=title, fields=fields)


def _readouts(settings: Settings, result: Result, at: list[np.ndarray]) -> list[Readout]:
    if settings.show in STILL:
        return _time_readouts(result) if result.timing and result.timing.laps else []
    first = result.runs[0]
    settings = replace(settings, row=min(settings.row, len(result.head.q) - 1))
    steps = first.of(settings.stage)
    index = [max(0, min(len(steps) - 1, math.ceil(x) - 1)) for x in at[0]]
    shown = [_row_readout(settings, steps, index)] if settings.stage == "forward" else []
    for place, run in enumerate(result.runs):
        moved = _moved(run.of(settings.stage), at[place])
        label = Text(f"{NAMES[run.order].en}: moved", f"{NAMES[run.order].zh}：搬运")
        shown.append(Readout(f"moved{place}", label, moved, unit="KiB"))
    used = [steps[i].chip_bytes / KIB for i in index]
    shown.append(Readout("chip", Text("on chip", "片上"), used, unit="KiB"))
    if result.differences and settings.stage == "forward" and first.order == "fa2":
        begun = zip(index, at[0], strict=True)
        apart = [result.differences[i] if x > 0 else math.nan for i, x in begun]
        help_ = Text(
            "o/l of the rows in hand against exact attention over the keys seen so far, largest.",
            "当前各行的 o/l 与对已见键的精确注意力之间的最大差。",
        )
        shown.append(Readout("apart", Text("difference so far", "目前的差"), apart, help=help_))
    return shown


def _row_readout(settings: Settings, steps: Sequence[Step], index: Sequence[int]) -> Readout:
    """M before and after, and the rescale factor, of the chosen row."""
    values = []
    for i in index:
        step = steps[i]
        row = settings.row
        inside = step.rows is not None and step.rows[0] <= row < step.rows[1]
        if not inside or "m" not in step.chip:
            values.append("–")
            continue
        m = float(step.chip["m"][row - step.rows[0]])
        factor = step.chip.get("a")
        fade = f" × {float(factor[row - step.rows[0]]):.3f}" if factor is not None else ""
        values.append(("−∞" if m == -math.inf else f"{m:.2f}") + fade)
    label = Text(f"m of row {settings.row} × e^(m−m′)", f"第 {settings.row} 行的 m × e^(m−m′)")
    return Readout("m", label, values)


def _moved(steps: Sequence[Step], at: np.ndarray) -> list[float]:
    """KiB moved at every frame."""
    totals = np.array([0, *(step.read + step.written for step in steps)]) / KIB
    return np.interp(at, np.arange(len(totals)), totals).tolist()


def _time_readouts(result: Result) -> list[Readout]:
    timing = result.timing
    assert timing is not None
    where = Text(timing.device, timing.device)
    shown = [Readout("device", Text("on", "设备"), where)]
    for name in timing.laps:
        label = Text(f"{name}, median", f"{name}，中位数")
        shown.append(Readout(name, label, 1000 * timing.median(name), unit="ms"))
    if "sdpa" in timing.laps:
        ours = next(name for name in timing.laps if name not in {"sdpa", "reference"})
        ratio = timing.median("sdpa") / timing.median(ours)
        shown.append(
            Readout("ratio", Text(f"{ours}: speed against SDPA", f"{ours} 相对 SDPA 的速度"), ratio)
        )
    return shown


def _legend(settings: Settings) -> list[tuple[Role, Text]]:
    if settings.show in STILL:
        return []
    return [
        ("model", Text("now", "当前")),
        ("data", Text("done", "已完成")),
        ("noise", Text("skipped by the causal mask", "被因果掩码跳过")),
        ("cond", Text("in SRAM", "在 SRAM 中")),
    ]


def _badge(settings: Settings, result: Result) -> Badge:
    """Answer against SDPA in float64; bytes against the formula, which must be equal.

    As right as rounding allows: at most twice the naive algorithm's error in the same precision.
    """
    run = result.runs[0]
    tolerance = TOLERANCES[settings.dtype]
    if math.isfinite(result.naive_error):
        tolerance = max(tolerance, 2 * result.naive_error)
    same = run.counted == run.formula
    error = run.error if same else math.inf
    bytes_en = f"{run.counted:,} bytes counted, {run.formula:,} by the formula"
    bytes_zh = f"计数 {run.counted:,} 字节，公式 {run.formula:,} 字节"
    return Badge(
        Text("error", "误差"),
        error,
        tolerance,
        Text(
            f"{bytes_en}. Largest difference of the traced answer from torch's SDPA in float64, "
            "relative to the largest, is",
            f"{bytes_zh}。追踪所得结果与 torch 的 float64 SDPA 之间的最大相对差为",
        ),
    )


def _code(settings: Settings, run: Run, at: np.ndarray) -> CodeView:
    """The very function that ran, with the line of each step."""
    function = algorithm(run.order, settings.stage)
    first = inspect.getsourcelines(function)[1]
    lines = source(run.order, settings.stage).lines
    steps = run.of(settings.stage)
    lit = []
    for x in at:
        phase = steps[max(0, min(len(steps) - 1, math.ceil(x) - 1))].phase
        lit.append(first + lines[phase][0] - 1)
    return CodeView([f"{function.__module__}.{function.__qualname__}"], lit)

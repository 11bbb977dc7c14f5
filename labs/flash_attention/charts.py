"""The large picture: traffic against N, the roofline, the on-chip budget, rounding, timings."""

import math
from typing import Any

import torch

from core.flash_attention import (
    GPUS,
    Blocks,
    Gpu,
    Problem,
    footprint,
    gpu,
    largest_blocks,
    roofline,
    traffic,
)
from labs.flash_attention.compute import Result, Timing
from labs.flash_attention.settings import CHIPS, DTYPES, Settings
from labs.scene import Json, Plot
from labs.text import Text

ORDERS = {"naive": ("naive", "warn"), "fa1": ("FA-1", "cond"), "fa2": ("FA-2", "model")}
SIZES = [2**n for n in range(8, 18)]
AXIS: Json = {"gridcolor": "role:line", "zeroline": False}
LOG: Json = {**AXIS, "type": "log"}
MARGIN = {"l": 64, "r": 16, "t": 44, "b": 96}


def traffic_plot(settings: Settings) -> Plot:
    """Bytes of one head against N, with the largest tiles that fit the chosen GPU."""
    chip, blocks = _chip(settings)
    data = []
    for order, (name, role) in ORDERS.items():
        moved = [_moved(settings, blocks, order, n) for n in SIZES]
        data.append(_line(name, SIZES, moved, role))
    here = [_moved(settings, blocks, order, settings.tokens) for order in ORDERS]
    data.append(_dots(f"N = {settings.tokens:,}", [settings.tokens] * 3, here))
    return _plot(
        "left",
        Text("Bytes through HBM", "经过 HBM 的字节"),
        Text(*[f"{chip.name}, {blocks.block_q}×{blocks.block_k}"] * 2),
        data,
        {
            "xaxis": {**LOG, "title": {"text": "N"}},
            "yaxis": {**LOG, "title": {"text": {"en": "bytes", "zh": "字节"}}},
        },
    )


def roofline_plot(settings: Settings) -> Plot:
    """Attainable rate against arithmetic intensity, and where the three algorithms stand."""
    chip, blocks = _chip(settings)
    dtype = DTYPES[settings.dtype]
    peak = chip.peak.get(dtype) or chip.peak[torch.float16]
    ridge = peak / chip.bandwidth
    reach = [ridge / 300, ridge, ridge * 30]
    roof = [min(peak, x * chip.bandwidth) / 1e12 for x in reach]
    data = [_line("roof", reach, roof, "ink")]
    for order, (name, role) in ORDERS.items():
        cost = traffic(
            _problem(settings, settings.tokens),
            order,
            block_q=blocks.block_q,
            block_k=blocks.block_k,
            stage=settings.stage,
        )
        place = roofline(chip, cost, dtype if dtype in chip.peak else torch.float16)
        label = f"{name}: {place.bound}-bound, {_time(place.seconds)}"
        data.append(_dots(label, [place.intensity], [place.attainable / 1e12], role))
    axes = {
        "xaxis": {**LOG, "title": {"text": {"en": "FLOP per byte", "zh": "每字节 FLOP"}}},
        "yaxis": {**LOG, "title": {"text": "TFLOP/s"}},
    }
    rate = settings.dtype if dtype in chip.peak else "fp16"
    note = Text(*[f"{chip.name}, {rate}, N = {settings.tokens:,}"] * 2)
    return _plot("right", Text("Roofline", "屋顶线"), note, data, axes)


def budget_plot(settings: Settings) -> Plot:
    """On-chip bytes of a square tile against its side, and what an SM of each GPU has."""
    dim, dtype = int(settings.head_dim), DTYPES[settings.dtype]
    sides = [8, 16, 32, 64, 96, 128, 192, 256]
    need = [footprint(n, n, dim, dtype, "fa2", settings.stage) / 1024 for n in sides]
    data = [_line(f"tile, d = {dim}, {settings.dtype}", sides, need, "model")]
    for size in sorted({each.sram_per_sm for each in GPUS}):
        names = ", ".join(each.name.split()[0] for each in GPUS if each.sram_per_sm == size)
        data.append(_limit(names, [sides[0], sides[-1]], size / 1024))
    own = footprint(settings.block_q, settings.block_k, dim, dtype, "fa2", settings.stage) / 1024
    side = math.sqrt(settings.block_q * settings.block_k)
    data.append(_dots(f"yours, {settings.block_q}×{settings.block_k}", [side], [own]))
    axes = {
        "xaxis": {**LOG, "title": {"text": {"en": "side of the tile", "zh": "块的边长"}}},
        "yaxis": {**LOG, "title": {"text": {"en": "KiB on chip", "zh": "片上 KiB"}}},
    }
    return _plot(
        "right",
        Text("What fits on the chip", "片上能放下什么"),
        Text("shared memory per SM", "每个 SM 的共享内存"),
        data,
        axes,
    )


def rounding_plot(result: Result) -> Plot:
    """Largest error of every order in every precision, against float64."""
    data = []
    for order, (name, role) in ORDERS.items():
        found = [each for each in result.rounding if each.order == order]
        data.append(
            {
                "type": "bar",
                "name": name,
                "x": [str(each.dtype).removeprefix("torch.") for each in found],
                # A logarithmic axis has no place for 0, and none for what is not a number.
                "y": [max(each.largest, 1e-9) if each.finite else 1.0 for each in found],
                "text": [f"{each.largest:.1g}" if each.finite else "NaN" for each in found],
                "marker": {"color": f"role:{role}"},
            }
        )
    axes = {
        "xaxis": AXIS,
        "yaxis": {
            **LOG,
            "title": {"text": {"en": "largest error", "zh": "最大误差"}},
            "exponentformat": "power",
        },
    }
    title = Text("Rounding error against float64", "相对 float64 的舍入误差")
    return _plot("right", title, Text("the same inputs", "相同输入"), data, axes)


def seconds_plot(result: Result) -> Plot:
    """Median milliseconds of each implementation."""
    timing = result.timing
    bars = {} if timing is None else {name: 1000 * timing.median(name) for name in timing.laps}
    title = Text("Milliseconds a call, median", "每次调用的毫秒数，中位数")
    return _bars("left", title, _where(timing), bars, "ms")


def memory_plot(result: Result) -> Plot:
    """Peak mebibytes of each implementation beside its inputs."""
    timing = result.timing
    peaks = {} if timing is None else timing.peaks
    bars = {name: size / 2**20 for name, size in peaks.items() if size is not None}
    title = Text("Peak memory beside the inputs", "除输入外的峰值内存")
    return _bars("right", title, _where(timing), bars, "MiB")


def _where(timing: Timing | None) -> Text:
    text = "" if timing is None else f"{timing.device}, N = {timing.tokens:,}"
    return Text(text, text)


def _bars(name: str, title: Text, note: Text, bars: dict[str, float], unit: str) -> Plot:
    roles = {"sdpa": "truth", "reference": "warn"}
    data = [
        {
            "type": "bar",
            "name": impl,
            "x": [impl],
            "y": [value],
            "marker": {"color": f"role:{roles.get(impl, 'model')}"},
            "text": [f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"],
        }
        for impl, value in bars.items()
    ]
    axes = {"xaxis": AXIS, "yaxis": {**AXIS, "title": {"text": unit}}, "showlegend": False}
    return _plot(name, title, note, data, axes)


def _chip(settings: Settings) -> tuple[Gpu, Blocks]:
    chip = gpu(CHIPS[settings.gpu].en)
    dim, dtype = int(settings.head_dim), DTYPES[settings.dtype]
    return chip, largest_blocks(chip, dim, dtype, settings.stage)


def _problem(settings: Settings, tokens: int) -> Problem:
    dim, dtype = int(settings.head_dim), DTYPES[settings.dtype]
    return Problem(tokens, tokens, dim, dtype=dtype, causal=settings.causal)


def _moved(settings: Settings, blocks: Blocks, order: str, tokens: int) -> int:
    problem = _problem(settings, tokens)
    cost = traffic(
        problem, order, block_q=blocks.block_q, block_k=blocks.block_k, stage=settings.stage
    )
    return cost.total


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.3g} µs" if seconds < 1e-3 else f"{seconds * 1e3:.3g} ms"


def _line(name: str, x: Any, y: Any, role: str, dash: str = "solid") -> Json:
    line = {"color": f"role:{role}", "width": 2 if dash == "solid" else 1, "dash": dash}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": line}


def _limit(name: str, x: list[int], y: float) -> Json:
    """A dotted line across, named where it stands."""
    line = _line(name, x, [y, y], "cond", dash="dot")
    return line | {
        "mode": "lines+text",
        "text": [name, ""],
        "textposition": "top right",
        "showlegend": False,
    }


def _dots(name: str, x: Any, y: Any, role: str = "ink") -> Json:
    marker = {"color": f"role:{role}", "size": 11}
    return {"type": "scatter", "mode": "markers", "name": name, "x": x, "y": y, "marker": marker}


def _plot(name: str, title: Text, note: Text, data: list[Json], axes: Json) -> Plot:
    layout = {
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.16, "yanchor": "top"},
        "margin": MARGIN,
        **axes,
    }
    return Plot(id=name, title=title, note=note, figure={"data": data, "layout": layout})

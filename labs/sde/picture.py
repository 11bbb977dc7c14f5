"""How the SDE lab's result looks: two linked stages, readouts, badge, source and snippet."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from core.sde import Trajectory
from labs.lab import Session
from labs.scene import (
    Arrows,
    Badge,
    Curve,
    Density,
    Drag,
    Handles,
    Layer,
    Particles,
    Patch,
    Paths,
    Plot,
    Points,
    Readout,
    Role,
    Scene,
    View,
)
from labs.sde.compute import CURVE_PARTICLES, CURVE_SAMPLERS, bare_result, particle_road, plans
from labs.sde.results import (
    ERROR_GRID,
    ERROR_TIMES,
    FRAMES,
    Plan,
    Result,
    Road,
    clock,
    stage_grid,
    stage_scale,
)
from labs.sde.settings import CURVE_POINTS, CURVE_TOP, EXTENT, SAMPLERS, Settings
from labs.sde.snippet import code_of, snippet
from labs.text import Text

_ERROR_FRAMES, _ARROWS, _ARROW_FRAMES = 17, 13, 9
_STAGE = (-EXTENT, EXTENT, -EXTENT, EXTENT)
_PAPER = (-2.4, 2.4, -2.4, 2.4)
_ROLES: tuple[Role, ...] = ("model", "cond", "data", "truth", "noise")


def scene(settings: Settings, result: Result) -> Scene:
    """Draws a result; pure."""
    times = frame_times(settings)
    density = _density(settings, result)
    views: list[View] = [
        _stage(settings, result, times, density, i) for i in range(len(result.roads))
    ]
    if settings.show == "distance":
        views.append(_distance_plot(result))
    alpha, sigma = result.sde.marginal(times)
    return Scene(
        views=views,
        frames=len(times),
        seconds=8.0 if settings.show == "both" else 6.0,
        loop="bounce" if settings.show == "both" else "loop",
        ticks=times.tolist(),
        track=(sigma / torch.sqrt(alpha**2 + sigma**2)).tolist(),
        readouts=_readouts(settings, result, times),
        legend=_legend(settings, result),
        badge=_badge(result),
        code=code_of(settings, len(times)),
        python=snippet(settings),
        painter="ink" if settings.data == "paint" else None,
        curve=_curve(settings),
        drag=Drag("particle", ("start_x", "start_y")),
        pick=("point_x", "point_y"),
    )


def frame_times(settings: Settings) -> Tensor:
    """Returns the times of the frames: ascending for the linked pair, else from noise to data."""
    times = clock(FRAMES)
    return times if settings.show == "both" else times.flip(0)


def on_frames(road: Trajectory, times: Tensor, scales: Tensor) -> np.ndarray:
    """Returns positions at the frames' times in stage units, linear between a road's own times.

    Args:
        road: Positions of shape (S + 1, N, 2) at ascending or descending times.
        times: Shape (F,).
        scales: The length of a stage unit at each frame, (F,).
    """
    own, order = road.times.sort()
    positions = road.positions[order]
    right = torch.searchsorted(own, times.contiguous()).clamp(1, len(own) - 1)
    left = right - 1
    weight = ((times - own[left]) / (own[right] - own[left])).clamp(0, 1)[:, None, None]
    weight = weight.to(positions)
    between = (1 - weight) * positions[left] + weight * positions[right]
    return (between / scales.to(positions)[:, None, None]).clamp(-40, 40).numpy()


def _stage(
    settings: Settings, result: Result, times: Tensor, density: Layer, index: int
) -> Particles:
    """Draws one road: the density under it, its cloud, and the held particle's way."""
    road = result.roads[index]
    scales = stage_scale(result.sde, times)
    alpha, sigma = result.sde.marginal(times)
    noise = (sigma / torch.sqrt(alpha**2 + sigma**2)).tolist()
    forward = road.plan.sampler is None
    role: Role = "data" if forward else "model"
    layers: list[Layer] = [density]
    if road.plan.learned and result.learned and settings.show == "score":
        layers = [_error_heat(result, times)]
    if settings.field != "none":
        layers.append(_arrows(settings, result, times))
    layers += [
        Points(
            id="cloud",
            label=Text("data", "数据") if forward else Text("samples", "样本"),
            role=role,
            from_role="noise",
            mix=noise,
            positions=on_frames(road.cloud, times, scales),
        ),
        _particle_layer(road.particle, times, scales),
    ]
    if not forward:
        held = [[settings.start_x, settings.start_y]]
        label = Text("the held particle at t = 1", "被拖动的粒子，t = 1")
        layers.append(Handles(id="held", label=label, role="cond", positions=held))
    title, note = _titles(settings, result, road.plan)
    pin = (settings.point_x, settings.point_y)
    return Particles(
        id=("left", "right")[index], title=title, note=note, extent=_STAGE, layers=layers,
        pick=True, pin=pin, square=_PAPER,
        units=scales.tolist() if settings.process == "ve" else None,
    )  # fmt: skip


def _particle_layer(road: Trajectory, times: Tensor, scales: Tensor) -> Paths:
    return Paths(
        id="particle",
        label=Text("one particle", "一个粒子"),
        role="cond",
        positions=on_frames(road, times, scales),
    )


def dragged(settings: Settings, session: Session, x: float, y: float) -> Patch:
    """Answers where the held particle goes on every stage when it starts at (x, y) at t = 1.

    Args:
        settings: What is on the stages.
        session: Where the learned score is kept, if it drives a stage.
        x: Stage units.
        y: Stage units.
    """
    held = replace(settings, start_x=x, start_y=y)
    bare = bare_result(held, session)
    times = frame_times(held)
    scales = stage_scale(bare.sde, times)
    ways = {
        view: [_particle_layer(particle_road(held, bare, plan), times, scales)]
        for view, plan in zip(("left", "right"), plans(held), strict=False)
        if plan.sampler is not None
    }
    return Patch(layers=ways)


def _density(settings: Settings, result: Result) -> Density:
    """The exact density p_t at keyframes, per unit of the stage."""
    marginals = result.marginals if settings.show == "both" else result.marginals.flip(0)
    return Density(
        id="density",
        label=Text("exact density", "精确密度"),
        role="truth",
        values=marginals.numpy(),
        style="heat" if settings.look == "heat" else "contours",
    )


def _error_heat(result: Result, times: Tensor) -> Density:
    """The learned score's error as a field, on the frames' clock."""
    assert result.learned is not None
    known = torch.tensor(ERROR_TIMES, dtype=torch.float64)
    chosen = [int((known - t).abs().argmin()) for t in _keyframes(times, _ERROR_FRAMES)]
    fields = [result.learned.errors[i].field * _weight(result, known[i]) for i in chosen]
    return Density(
        id="density",
        label=Text("error of the learned score", "学到的得分的误差"),
        role="warn",
        values=torch.stack(fields).reshape(-1, ERROR_GRID, ERROR_GRID).float().numpy(),
        common=True,
        style="heat",
    )


def _weight(result: Result, t: Tensor) -> Tensor:
    """Fades the error out where hardly any particle comes by, below a fiftieth of the peak."""
    grid = stage_grid(ERROR_GRID) * stage_scale(result.sde, t).float()
    log_p = result.density.log_prob(grid, result.sde, t)
    return ((log_p - log_p.max()).exp() * 50).clamp(max=1.0)


def _arrows(settings: Settings, result: Result, times: Tensor) -> Arrows:
    """The score, or the velocity of the probability-flow ODE read towards the data."""
    grid = stage_grid(_ARROWS) * 0.94
    vectors = []
    for t in _keyframes(times, _ARROW_FRAMES):
        t = t.clamp(min=0.02)
        scale = stage_scale(result.sde, t).float()
        score = result.density.score(grid * scale, result.sde, t)
        if settings.field == "velocity":
            g = result.sde.diffusion(t).to(score)
            score = -(result.sde.drift(grid * scale, t) - 0.5 * g**2 * score)
        length = score.norm(dim=1, keepdim=True).clamp(min=1e-9)
        vectors.append((score / length * 0.42 * torch.tanh(length / length.median())).numpy())
    label = Text("score ∇log p", "得分 ∇log p")
    if settings.field == "velocity":
        label = Text("ODE velocity, towards data", "ODE 速度，朝向数据")
    return Arrows(
        id="arrows", label=label, role="ink", anchors=grid.numpy(), vectors=np.stack(vectors)
    )


def _keyframes(times: Tensor, count: int) -> Tensor:
    """Returns `count` times spread evenly over the frames."""
    at = torch.linspace(0, len(times) - 1, count, dtype=torch.float64)
    low = at.floor().long().clamp(max=len(times) - 2)
    return torch.lerp(times[low], times[low + 1], at - low)


def _titles(settings: Settings, result: Result, plan: Plan) -> tuple[Text, Text]:
    process = result.sde.title
    if plan.sampler is None:
        return Text("Forward SDE", "前向 SDE"), Text(
            f"{process}: data → noise", f"{process}：数据 → 噪声"
        )
    name = plan.sampler.title.removesuffix(" (probability-flow ODE)")
    title = (
        Text("Reverse SDE", "逆向 SDE")
        if plan.sampler.stochastic
        else Text("Probability-flow ODE", "概率流 ODE")
    )
    score = Text("learned score", "学到的得分") if plan.learned else Text("exact score", "精确得分")
    return title, Text(f"{name}, {score.en}", f"{name}，{score.zh}")


def _readouts(settings: Settings, result: Result, times: Tensor) -> list[Readout]:
    alpha, sigma = result.sde.marginal(times)
    done = [f"{k} / {settings.steps}" for k in _steps_done(settings, result, times)]
    shown = [
        Readout("step", Text("reverse step", "逆向步"), done),
        Readout(
            "marginal",
            Text("mean coefficient · std of x_t", "x_t 的均值系数 · 标准差"),
            [f"{a:.3f} · {s:.3g}" for a, s in zip(alpha.tolist(), sigma.tolist(), strict=True)],
        ),
    ]
    shown += _road_readouts([road for road in result.roads if road.plan.sampler is not None])
    if result.learned is not None:
        shown.append(Readout("loss", Text("training loss", "训练损失"), result.learned.loss))
    point = result.point
    where = f"({settings.point_x:.2f}, {settings.point_y:.2f})"
    shown.append(
        Readout(
            "log_p",
            Text(
                f"log p{where}: exact · ODE · ODE with prior",
                f"log p{where}：精确 · ODE · ODE 用先验",
            ),
            " · ".join(
                "–" if value is None else f"{value:.4f}".replace("-", "−")
                for value in (point.exact, point.ode, point.standard)
            ),
            unit="nats",
            help=Text(
                "In closed form; through the probability-flow ODE against the true p_1; and "
                "against the prior N(0, σ²I) that generation starts from.",
                "闭式解；经概率流 ODE 对真实 p_1；以及对生成所用的先验 N(0, σ²I)。",
            ),
        )
    )
    return shown


def _steps_done(settings: Settings, result: Result, times: Tensor) -> list[int]:
    """Returns how many steps of the first reverse road are done at the frames' times."""
    roads = [road for road in result.roads if road.plan.sampler is not None]
    if not roads:
        return [0] * len(times)
    own = roads[0].cloud.times
    share = ((own[None, :] >= times[:, None] - 1e-9).sum(dim=1) - 1) / (len(own) - 1)
    return [int(k) for k in (share * settings.steps).round().tolist()]


def _road_readouts(roads: list[Road]) -> list[Readout]:
    """What the reverse roads cost and how well they end, left to right."""
    costs = " · ".join(f"{road.cloud.evaluations}" for road in roads)
    ends = " · ".join(f"{road.distance:.3f}" for road in roads)
    measure = Text(
        "Sliced Wasserstein distance of the finished samples to fresh data, left to right.",
        "完成的样本与新数据之间的切片 Wasserstein 距离，从左到右。",
    )
    shown = [
        Readout("evaluations", Text("score evaluations", "得分求值次数"), costs),
        Readout("distance", Text("SW₂ to data", "到数据的 SW₂"), ends, help=measure),
    ]
    if len(roads) == 2:
        ends_apart = roads[0].cloud.positions[-1] - roads[1].cloud.positions[-1]
        apart = float(ends_apart.square().sum(dim=1).mean().sqrt())
        explained = Text(
            "Root mean square distance between the ends of the same particle on both stages.",
            "同一粒子在两个舞台上终点距离的均方根。",
        )
        shown.append(Readout("apart", Text("RMS apart", "RMS 差距"), apart, help=explained))
    return shown


def _legend(settings: Settings, result: Result) -> list[tuple[Role, Text]]:
    legend: list[tuple[Role, Text]] = [
        ("noise", Text("noise", "噪声")),
        ("model", Text("samples", "样本")),
    ]
    if settings.show == "both":
        legend.insert(0, ("data", Text("data", "数据")))
    legend.append(("truth", Text("exact density p_t", "精确密度 p_t")))
    legend.append(("cond", Text("one particle: drag its ring", "一个粒子：可拖动圆环")))
    if settings.show == "score" and result.learned:
        legend.append(("warn", Text("error of the learned score", "学到的得分的误差")))
    return legend


def _badge(result: Result) -> Badge | None:
    """The clicked point's check; none where the ODE is too stiff to give an answer."""
    point = result.point
    if point.ode is None:
        return None
    return Badge(
        Text("log p error", "log p 误差"),
        abs(point.ode - point.exact) / max(1.0, abs(point.exact)),
        1e-3,
        Text(
            "The clicked point's log-density through the probability-flow ODE, integrated to the "
            "true p_1, differs from the mixture's closed form by (nats; relative beyond 1)",
            "点击处的对数密度：概率流 ODE 积分到真实 p_1 的结果"
            "与闭式解之差（大于 1 nat 时取相对值）",
        ),
    )


def _curve(settings: Settings) -> Curve | None:
    """The editor of the drawn schedule, while it is the one in use."""
    if settings.schedule != "drawn" or settings.process == "ve":
        return None
    return Curve(
        "curve", CURVE_POINTS, 0.0, CURVE_TOP, "t", Text("β(t), drawn by hand", "手绘 β(t)")
    )


def _distance_plot(result: Result) -> Plot:
    """Distance against score evaluations, every sampler from the same noise."""
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": SAMPLERS[key].json(),
            "x": [evaluations for evaluations, _ in result.distances.get(key, [])],
            "y": [distance for _, distance in result.distances.get(key, [])],
            "line": {"color": f"role:{role}", "width": 2},
            "marker": {"size": 7},
        }
        for key, role in zip(CURVE_SAMPLERS, _ROLES, strict=True)
    ]
    floor = result.distances.get("floor", [])
    lines.append(
        {
            "type": "scatter",
            "mode": "lines",
            "name": {"en": "two sets of fresh data", "zh": "两组新数据之间"},
            "x": [evaluations for evaluations, _ in floor],
            "y": [distance for _, distance in floor],
            "line": {"color": "role:ink", "width": 1, "dash": "dot"},
        }
    )
    chosen = result.roads[0] if result.roads else None
    if chosen:
        chosen_n = chosen.cloud.positions.shape[1]
        lines.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": {
                    "en": f"on the left, {chosen_n:,} particles",
                    "zh": f"左侧，{chosen_n:,} 个粒子",
                },
                "x": [chosen.cloud.evaluations],
                "y": [chosen.distance],
                "marker": {
                    "size": 14,
                    "symbol": "circle-open",
                    "color": "role:ink",
                    "line": {"width": 2},
                },
            }
        )
    axes = {"type": "log", "gridcolor": "role:line", "zeroline": False}
    layout = {
        "xaxis": {**axes, "title": {"text": {"en": "score evaluations", "zh": "得分求值次数"}}},
        "yaxis": {**axes, "title": {"text": {"en": "SW₂ to data", "zh": "到数据的 SW₂"}}},
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.16, "yanchor": "top"},
        "margin": {"l": 56, "r": 16, "t": 40, "b": 108},
    }
    return Plot(
        id="plot",
        title=Text("Distance against evaluations", "距离与求值次数"),
        note=Text(
            f"same noise, {CURVE_PARTICLES:,} particles", f"同一噪声，{CURVE_PARTICLES:,} 个粒子"
        ),
        figure={"data": lines, "layout": layout},
    )

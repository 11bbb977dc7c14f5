"""What the SDE lab computes: the roads on both stages, the clicked point, the distance curve."""

from collections.abc import Generator, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from core.densities import GaussianMixture
from core.sde import (
    SDE,
    BrownianPath,
    ExactScore,
    ScoreError,
    ScoreNetwork,
    Training,
    Trajectory,
    log_likelihood,
    sample,
    score_error,
    sliced_wasserstein,
    trace,
    train,
)
from labs.controls import Refusal
from labs.lab import Session
from labs.scene import Patch, Readout
from labs.sde.results import (
    ERROR_GRID,
    ERROR_TIMES,
    FRAMES,
    MARGINAL_GRID,
    MARGINAL_TIMES,
    Distances,
    Learned,
    Plan,
    Point,
    Result,
    Road,
    clock,
    stage_grid,
    stage_scale,
)
from labs.sde.settings import Settings, density_of, process_of, sampler_of
from labs.text import Text

CURVE_STEPS = (5, 10, 20, 50, 100, 200, 500)
CURVE_SAMPLERS = ("em", "pc", "heun", "ddim", "dpm")
CURVE_PARTICLES = 1000
KEPT_STEPS = 250
_LIGHT_SECONDS = 0.3
_MOST_SECONDS = 20.0
_PREVIEW_STEPS = 100


def light(settings: Settings, session: Session) -> bool:
    """Says whether the picture comes at once: nothing to train, no long way to go."""
    if _needs_network(settings) and session.get(_network_key(settings)) is None:
        return False
    if settings.show == "distance" and session.get(_distance_key(settings)) is None:
        return False
    process_of(settings)
    return _cost(settings) < _LIGHT_SECONDS


def _cost(settings: Settings) -> float:
    """Estimates the seconds that the roads take.

    Raises:
        Refusal: If they would keep others waiting.
    """
    components = density_of(settings).components
    costs = [_seconds(plan, settings.particles, components) for plan in plans(settings)]
    if sum(costs) > _MOST_SECONDS:
        raise Refusal(
            Text(
                f"particles times steps must take at most {_MOST_SECONDS:g} s, "
                f"got about {sum(costs):.0f} s: take fewer of either.",
                f"粒子与步数最多计算 {_MOST_SECONDS:g} 秒，预计 {sum(costs):.0f} 秒：请减少。",
            )
        )
    return sum(costs)


def _seconds(plan: Plan, particles: int, components: int) -> float:
    """Estimates a road's cost: overhead per evaluation, and work per particle and component."""
    evaluations = plan.steps * ((plan.sampler and plan.sampler.evaluations_per_step) or 1)
    return evaluations * (4e-4 + particles * components * 3e-9)


def plans(settings: Settings) -> tuple[Plan, ...]:
    """Returns what the stages show, left to right."""
    chosen, steps = sampler_of(settings), settings.steps
    learned = settings.score == "learned"
    reverse = Plan(chosen, steps, learned)
    if settings.show == "both":
        return Plan(None, steps), reverse
    if settings.show == "ode":
        noisy = chosen if chosen.stochastic else sampler_of(settings, "em")
        smooth = chosen if not chosen.stochastic else sampler_of(settings, "heun")
        return Plan(noisy, steps, learned), Plan(smooth, steps, learned)
    if settings.show == "samplers":
        return reverse, Plan(sampler_of(settings, settings.other), steps, learned)
    if settings.show == "score":
        return Plan(chosen, steps), Plan(chosen, steps, learned=True)
    if settings.show == "discrete":
        return Plan(sampler_of(settings, "ddpm"), steps), Plan(sampler_of(settings, "em"), 1000)
    return (reverse,)


def run(settings: Settings, session: Session) -> Iterator[Patch | Result]:
    """Computes the picture; trains a score first where one is asked for and not kept yet."""
    density, sde = density_of(settings), process_of(settings)
    _cost(settings)
    learned: Learned | None = None
    if _needs_network(settings):
        learned = yield from _trained(settings, session, density, sde)
    marginals = _marginals(settings, session, density, sde)
    bare = Result(density, sde, (), _point(settings, density, sde), marginals, learned)
    result = yield from _with_roads(settings, bare)
    if settings.show == "distance":
        result = yield from _with_distances(settings, session, result)
    return result


def _with_roads(settings: Settings, bare: Result) -> Generator[Patch, None, Result]:
    """Follows each plan's cloud and particle, saying how far it is."""
    todo = plans(settings)
    roads: list[Road] = []
    for plan in todo:
        steps = _road(settings, bare, plan)
        while True:
            try:
                share = next(steps)
            except StopIteration as stop:
                roads.append(stop.value)
                break
            doing = Text("Following the particles", "粒子运动中")
            yield Patch(progress=(len(roads) + share) / len(todo), doing=doing)
    return replace(bare, roads=tuple(roads))


def _road(settings: Settings, bare: Result, plan: Plan) -> Generator[float, None, Road]:
    path = BrownianPath((settings.particles, 2), settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    if plan.sampler is None:
        x_0 = bare.density.sample(settings.particles, generator=generator, dtype=torch.float32)
        times = torch.cat([torch.zeros(1, dtype=torch.float64), clock(FRAMES)])
        cloud = bare.sde.forward(x_0, times, path)
        end = cloud.positions[0]
    else:
        x_1 = bare.sde.prior(settings.particles, generator=generator, dtype=torch.float32)
        cloud = yield from _followed(bare, plan, x_1, path)
        end = cloud.positions[-1]
    fresh = bare.density.sample(
        settings.particles, generator=generator.manual_seed(settings.seed + 1), dtype=torch.float32
    )
    distance = float(sliced_wasserstein(end, fresh, 32, generator))
    return Road(plan, cloud, particle_road(settings, bare, plan), distance)


def _followed(
    bare: Result, plan: Plan, x_1: Tensor, path: BrownianPath
) -> Generator[float, None, Trajectory]:
    """Samples like `core.sde.sample`, keeping some `KEPT_STEPS` steps; yields the share done."""
    assert plan.sampler is not None
    every = max(1, plan.steps // KEPT_STEPS)
    kept, evaluations = [], 0
    for step in trace(bare.sde, _score(bare, plan), x_1, plan.sampler, plan.steps, path):
        if step.index % every == 0 or step.index == plan.steps:
            kept.append((step.time, step.x))
        evaluations = step.evaluations
        if step.index % 20 == 19:
            yield step.index / plan.steps
    times = torch.tensor([time for time, _ in kept], dtype=torch.float64)
    return Trajectory(times, torch.stack([x for _, x in kept]), evaluations)


def particle_road(settings: Settings, bare: Result, plan: Plan) -> Trajectory:
    """Returns the way of the particle that the viewer holds, on a Brownian path of its own.

    Going back it starts at the held place at t = 1; going forward, at the clicked data point.
    """
    path = BrownianPath((1, 2), settings.seed).fork(1)
    if plan.sampler is None:
        x_0 = torch.tensor([[settings.point_x, settings.point_y]])
        times = torch.cat([torch.zeros(1, dtype=torch.float64), clock(FRAMES)])
        return bare.sde.forward(x_0, times, path)
    held = torch.tensor([[settings.start_x, settings.start_y]])
    x_1 = held * stage_scale(bare.sde, torch.tensor(1.0, dtype=torch.float64)).to(held)
    return sample(bare.sde, _score(bare, plan), x_1, plan.sampler, plan.steps, path)


def _score(bare: Result, plan: Plan) -> object:
    if plan.learned and bare.learned is not None:
        return bare.learned.network
    return ExactScore(bare.density, bare.sde)


def _point(settings: Settings, density: GaussianMixture, sde: SDE) -> Point:
    x = torch.tensor([[settings.point_x, settings.point_y]], dtype=torch.float64)
    exact = float(density.log_prob(x, sde, 1e-5))
    try:
        through = log_likelihood(x, sde, ExactScore(density, sde), prior="exact")
    except ArithmeticError:
        return Point(exact, None, None)
    x_1, ode = through.positions[-1], float(through.log_prob)
    mismatch = float(sde.prior_log_prob(x_1) - density.log_prob(x_1, sde, 1.0))
    return Point(exact, ode, ode + mismatch)


def bare_result(settings: Settings, session: Session) -> Result:
    """Returns what is known before any cloud moves; a score not trained yet is the exact one."""
    density, sde = density_of(settings), process_of(settings)
    learned = session.get(_network_key(settings)) if _needs_network(settings) else None
    marginals = _marginals(settings, session, density, sde)
    return Result(density, sde, (), _point(settings, density, sde), marginals, learned)


def _marginals(settings: Settings, session: Session, density: GaussianMixture, sde: SDE) -> Tensor:
    """Returns p_t on the stage, (K, G, G); kept, as it does not change while samplers do."""
    key = ("marginals", *_problem(settings))
    kept = session.get(key)
    if isinstance(kept, Tensor):
        return kept
    values = []
    for t in MARGINAL_TIMES:
        scale = stage_scale(sde, t).float()
        grid = stage_grid(MARGINAL_GRID) * scale
        values.append(density.log_prob(grid, sde, t).exp() * scale**2)
    return session.keep(key, torch.stack(values).reshape(-1, MARGINAL_GRID, MARGINAL_GRID))


def _needs_network(settings: Settings) -> bool:
    return settings.score == "learned" or settings.show == "score"


def _network_key(settings: Settings) -> tuple[object, ...]:
    return "network", settings.training, settings.seed, *_problem(settings)


def _distance_key(settings: Settings) -> tuple[object, ...]:
    options = (settings.eta, settings.corrections, settings.snr, settings.seed)
    return "distances", *options, *_problem(settings)


def _problem(settings: Settings) -> tuple[object, ...]:
    """What the data and the process depend on."""
    data = (settings.data, settings.word, settings.ink)
    return *data, settings.process, settings.schedule, settings.curve


def _trained(
    settings: Settings, session: Session, density: GaussianMixture, sde: SDE
) -> Generator[Patch | Result, None, Learned]:
    """Trains the network by denoising score matching and shows it at work now and then."""
    kept = session.get(_network_key(settings))
    if isinstance(kept, Learned):
        return kept
    point = _point(settings, density, sde)
    marginals = _marginals(settings, session, density, sde)
    quick = replace(settings, steps=min(settings.steps, 50), sampler="em")
    learned = None
    generator = torch.Generator().manual_seed(settings.seed)
    for step in train(density, sde, Training(steps=settings.training), generator):
        learned = Learned(step.network, step.step, step.loss)
        if step.step % 10 == 0:
            yield _progress(learned, settings.training)
        if step.step % _PREVIEW_STEPS == 0 and step.step < settings.training:
            shown = replace(learned, errors=_errors(learned.network, density, sde))
            bare = Result(density, sde, (), point, marginals, shown)
            yield (yield from _with_roads(quick, bare))
    assert learned is not None
    done = replace(learned, errors=_errors(learned.network, density, sde))
    return session.keep(_network_key(settings), done)


def _progress(learned: Learned, total: int) -> Patch:
    loss = f"{learned.loss:.3f}"
    doing = Text(
        f"Training: step {learned.step} of {total}, loss {loss}",
        f"训练：第 {learned.step} 步，共 {total} 步，损失 {loss}",
    )
    readout = Readout("loss", Text("training loss", "训练损失"), learned.loss)
    return Patch(progress=learned.step / total, doing=doing, readouts=[readout])


def _errors(network: ScoreNetwork, density: GaussianMixture, sde: SDE) -> tuple[ScoreError, ...]:
    """Returns the network's error on a grid that fills the stage, at `ERROR_TIMES`."""
    found = []
    for time in ERROR_TIMES:
        t = torch.tensor(time, dtype=torch.float64)
        grid = stage_grid(ERROR_GRID) * stage_scale(sde, t).float()
        found.append(score_error(network, density, sde, t, grid))
    return tuple(found)


def _with_distances(
    settings: Settings, session: Session, result: Result
) -> Generator[Patch | Result, None, Result]:
    """Measures every sampler at every number of steps from one noise, nearest to done first."""
    kept = session.get(_distance_key(settings))
    if isinstance(kept, dict):
        return replace(result, distances=kept)
    distances: Distances = {"floor": _floor(settings, result)}
    yield replace(result, distances=distances)
    total = len(CURVE_STEPS) * len(CURVE_SAMPLERS)
    done = 0
    for steps in CURVE_STEPS:
        for key in CURVE_SAMPLERS:
            measured = _distance(settings, result, Plan(sampler_of(settings, key), steps))
            distances.setdefault(key, []).append(measured)
            done += 1
            doing = Text(f"Measuring at {steps} steps", f"测量 {steps} 步")
            yield Patch(progress=done / total, doing=doing)
        yield replace(result, distances=dict(distances))
    return replace(result, distances=session.keep(_distance_key(settings), distances))


def _floor(settings: Settings, result: Result) -> list[tuple[int, float]]:
    """The distance between two fresh sets of data: no sampler can be told apart below it."""
    generator = torch.Generator().manual_seed(settings.seed)
    clouds = [
        result.density.sample(CURVE_PARTICLES, generator=generator, dtype=torch.float32)
        for _ in range(8)
    ]
    pairs = zip(clouds[::2], clouds[1::2], strict=True)
    found = [float(sliced_wasserstein(a, b, generator=generator)) for a, b in pairs]
    mean = sum(found) / len(found)
    return [(CURVE_STEPS[0], mean), (2 * CURVE_STEPS[-1], mean)]


def _distance(settings: Settings, result: Result, plan: Plan) -> tuple[int, float]:
    """Returns (score evaluations, distance to fresh data) of one sampler."""
    assert plan.sampler is not None
    generator = torch.Generator().manual_seed(settings.seed)
    x_1 = result.sde.prior(CURVE_PARTICLES, generator=generator, dtype=torch.float32)
    path = BrownianPath((CURVE_PARTICLES, 2), settings.seed)
    score = ExactScore(result.density, result.sde)
    end = sample(result.sde, score, x_1, plan.sampler, plan.steps, path)
    fresh = result.density.sample(CURVE_PARTICLES * 4, generator=generator, dtype=torch.float32)
    fresh = fresh[:CURVE_PARTICLES]
    return end.evaluations, float(sliced_wasserstein(end.positions[-1], fresh, generator=generator))

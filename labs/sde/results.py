"""What the SDE lab's stages are drawn from: roads, the clicked point, the learned score."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from core.densities import GaussianMixture
from core.sde import SDE, Sampler, ScoreError, ScoreNetwork, Trajectory
from labs.sde.settings import EXTENT

STOP = 1e-3


FRAMES = 49


Distances = dict[str, list[tuple[int, float]]]


def clock(count: int) -> Tensor:
    """Returns times from `STOP` to 1, denser near the data, where a cloud changes fastest.

    They are the squares of even steps; everything that is sent at keyframes keeps to this clock.
    """
    even = torch.linspace(0.0, 1.0, count, dtype=torch.float64)
    return STOP + (1 - STOP) * even**2


MARGINAL_TIMES = clock(17)


MARGINAL_GRID = 56


ERROR_TIMES = (1e-3, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


ERROR_GRID = 32


def stage_scale(sde: SDE, t: Tensor) -> Tensor:
    """Returns the length of a stage unit at time t, so that data of unit variance fill the stage.

    It is 1 for processes that keep the variance, and the standard deviation of x_t for VE.
    """
    alpha, sigma = sde.marginal(t)
    return torch.sqrt(alpha**2 + sigma**2).clamp(min=1.0)


def stage_grid(size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Returns the nodes of a square grid over the stage, (size * size, 2); the top row first."""
    line = torch.linspace(-EXTENT, EXTENT, size, dtype=dtype)
    y, x = torch.meshgrid(line.flip(0), line, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


@dataclass(frozen=True)
class Plan:
    """What one stage is to show: a forward road, or a reverse road by a sampler and a score."""

    sampler: Sampler | None
    steps: int
    learned: bool = False


@dataclass(frozen=True)
class Road:
    """The way of a cloud between noise and data.

    Attributes:
        plan: What it follows.
        cloud: Positions of shape (S + 1, N, 2), data units.
        particle: The way of the one particle that the viewer holds, (S + 1, 1, 2).
        distance: Sliced Wasserstein distance of its end at t = 0 to fresh data.
    """

    plan: Plan
    cloud: Trajectory
    particle: Trajectory
    distance: float


@dataclass(frozen=True)
class Point:
    """A clicked point's log-density in nats.

    Attributes:
        exact: In closed form.
        ode: Through the ODE, against the true p_1; None where the ODE is too stiff for RK45, as
            on the ridge between narrow Gaussians far away.
        standard: Through the same ODE, against the prior that generation starts from, or None.
    """

    exact: float
    ode: float | None
    standard: float | None


@dataclass(frozen=True)
class Learned:
    """A score network, how far it is trained, and its error against the exact score."""

    network: ScoreNetwork
    step: int
    loss: float
    errors: tuple[ScoreError, ...] = ()


@dataclass(frozen=True)
class Result:
    """Everything that the stage of the SDE lab is drawn from.

    Attributes:
        density: The data.
        sde: The forward process.
        roads: What the stages follow, left to right.
        point: The clicked point.
        marginals: p_t on the nodes of a grid per stage unit squared, at `MARGINAL_TIMES`.
        learned: The score network, where one is in play.
        distances: Per sampler, (evaluations, distance) pairs.
    """

    density: GaussianMixture
    sde: SDE
    roads: tuple[Road, ...]
    point: Point
    marginals: Tensor
    learned: Learned | None = None
    distances: Distances = field(default_factory=dict)

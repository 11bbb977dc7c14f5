"""Running a sampler: step by step, or all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .brownian import BrownianPath
from .linear import SDE
from .reverse import Reverse, Score, noise_from
from .samplers import Sampler
from .trajectory import Trajectory


@dataclass(frozen=True, eq=False)
class Step:
    """One frame of a run.

    Args:
        index: 0 for the start, then 1 to S.
        time: Time of the frame, in [0, 1].
        x: Particles, shape (N, …).
        evaluations: Score evaluations so far.
    """

    index: int
    time: float
    x: Tensor
    evaluations: int


def trace(
    sde: SDE,
    score: Score,
    x_1: Tensor,
    sampler: Sampler,
    steps: int | Tensor,
    noise: torch.Generator | BrownianPath | None = None,
) -> Iterator[Step]:
    """Generates data, one frame at a time; stop iterating to stop computing.

    Args:
        sde: The forward process.
        score: (x, t) -> ∇ log p_t(x), of the shape of x; t is 0-d, float64, on the CPU.
        x_1: Where to start, shape (N, …); its dtype and device are kept.
        sampler: How to step.
        steps: How many steps, at least 1, on the sampler's own grid; or the times to visit,
            falling within (0, 1]. RK45 chooses its own steps and shows these times.
        noise: A generator, or a Brownian path of the shape of x_1, which drives every sampler
            and every number of steps by the same noise; only deterministic samplers do without.

    Yields:
        The start, then the particles after every step.

    Raises:
        ValueError: If steps is less than 1, times do not fall within (0, 1], a stochastic sampler
            has no noise, or the sampler does not suit the process.
    """
    times = _times(sde, sampler, steps)
    if sampler.stochastic and noise is None:
        raise ValueError(
            f"noise must be a torch.Generator or a BrownianPath for {sampler.title}, got None."
        )
    reverse = Reverse(sde, score, noise_from(noise, x_1))
    yield Step(0, float(times[0]), x_1, 0)
    for index, x in enumerate(sampler.frames(reverse, x_1, times), start=1):
        yield Step(index, float(times[index]), x, reverse.evaluations)


def sample(
    sde: SDE,
    score: Score,
    x_1: Tensor,
    sampler: Sampler,
    steps: int | Tensor,
    noise: torch.Generator | BrownianPath | None = None,
) -> Trajectory:
    """Generates data and keeps every frame.

    Args:
        sde: The forward process.
        score: (x, t) -> ∇ log p_t(x), of the shape of x.
        x_1: Where to start, shape (N, …), at the first time of the grid.
        sampler: How to step.
        steps: How many steps, or the times to visit; see `trace`.
        noise: A generator or a Brownian path; only deterministic samplers do without.

    Returns:
        Positions of shape (S + 1, N, …) at falling times, and the score evaluations spent.

    Raises:
        ValueError: As `trace` does.
    """
    frames = list(trace(sde, score, x_1, sampler, steps, noise))
    times = torch.tensor([frame.time for frame in frames], dtype=torch.float64)
    positions = torch.stack([frame.x for frame in frames])
    return Trajectory(times, positions, frames[-1].evaluations)


def _times(sde: SDE, sampler: Sampler, steps: int | Tensor) -> Tensor:
    """The grid, made or checked."""
    if not isinstance(steps, Tensor):
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}.")
        return sampler.grid(sde, steps)
    times = steps.to("cpu", torch.float64)
    if times.ndim != 1 or len(times) < 2:
        raise ValueError(f"steps must be a vector of 2 times or more, got {tuple(times.shape)}.")
    if not (times.diff() < 0).all() or times[0] > 1 or times[-1] <= 0:
        raise ValueError(
            "steps must be times that fall strictly, from at most 1 to above 0, "
            f"got {float(times[0]):g} to {float(times[-1]):g}."
        )
    return times

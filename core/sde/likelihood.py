"""The likelihood of a point, through the probability-flow ODE.

The ODE is a continuous normalizing flow: along dx = v(x, t) dt the density changes by

    d log p_t(x_t) = −∇·v dt,     so     log p_ε(x) = log p_1(x_1) + ∫_ε^1 ∇·v(x_t, t) dt.

In two dimensions the divergence is computed exactly, not estimated.

Which p_1? The model that generates from the prior has p_1 = N(0, prior_std² I), and its likelihood
carries the mismatch between that prior and the true marginal at t = 1, about 1e-2 nats for a narrow
Gaussian under VP: a property of the model, not an error of the ODE. Against the true p_1 the same
integral gives the true density up to the solver's tolerance. A number means little unless it says
which, so the result does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .dormand_prince import integrate
from .linear import SDE
from .reverse import ExactScore, Score


@runtime_checkable
class WithDivergence(Protocol):
    """A score that knows its divergence."""

    def with_divergence(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the score, of the shape of x, and its divergence, shape (N,)."""
        ...


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Log-density of points and the road on which it was found.

    Args:
        log_prob: log p_ε of the points in nats, shape (N,).
        evaluations: Evaluations of the score with its divergence.
        times: The solver's own times, from ε up to 1, shape (S + 1,), float64.
        positions: The points at these times, shape (S + 1, N, D).
        prior: Which density was used at t = 1: "standard", "exact" or "given".
    """

    log_prob: Tensor
    evaluations: int
    times: Tensor
    positions: Tensor
    prior: str


def log_likelihood(
    x: Tensor,
    sde: SDE,
    score: Score,
    *,
    prior: str | Callable[[Tensor], Tensor] = "standard",
    eps: float = 1e-5,
    tolerance: float = 1e-6,
) -> Likelihood:
    """Log-density of points under the probability-flow ODE.

    What is returned is the density at time ε, that of data blurred by σ(ε); for data much wider
    than σ(ε) it is the density of the data. An exact score of smooth data allows ε = 0.

    Args:
        x: Points, shape (N, D).
        sde: The forward process.
        score: (x, t) -> ∇ log p_t(x). An exact score brings its divergence; any other is
            differentiated, D vector–Jacobian products each time.
        prior: Density at t = 1. "standard": the Gaussian that generation starts from, hence the
            likelihood of the generative model, prior mismatch included. "exact": the true marginal,
            which takes an ExactScore. Or a function from x_1, shape (N, D), to nats, shape (N,).
        eps: Time given to the points, in [0, 1).
        tolerance: Absolute and relative error per step, in (0, 1).

    Returns:
        Log-densities, cost and path.

    Raises:
        ValueError: If x is not (N, D), eps is outside [0, 1), or prior is unknown or needs an exact
            score.

    References:
        Score-Based Generative Modeling through SDEs (Song et al., 2021), section 4.3, appendix D.2.
    """
    if x.ndim != 2:
        raise ValueError(f"x must have shape (N, D), got {tuple(x.shape)}.")
    if not 0 <= eps < 1:
        raise ValueError(f"eps must be in [0, 1), got {eps:g}.")
    name, log_prior = _end_density(prior, sde, score)

    evaluations = 0

    def augmented(state: Tensor, clock: Tensor) -> Tensor:
        """Velocity of the points and, in the last column, of the log-density gathered so far."""
        nonlocal evaluations
        evaluations += 1
        x_t, t = state[:, :-1], sde.time_on(clock)
        value, divergence = score_and_divergence(score, x_t, t)
        half = sde.diffusion(t) ** 2 / 2
        gathered = x_t.shape[1] * sde.rate(t) - half * divergence
        velocity = torch.cat([sde.drift(x_t, t) - half * value, gathered[:, None]], 1)
        return velocity / sde.pace(t)

    ends = sde.clock(torch.tensor([eps, 1.0], dtype=torch.float64))
    clocks, states = [ends[0]], [torch.cat([x, torch.zeros_like(x[:, :1])], 1)]
    for step in integrate(augmented, states[0], ends[0], ends[1], tolerance):
        clocks.append(step.t)
        states.append(step.x_t)
    path = torch.stack(states)
    return Likelihood(
        log_prob=log_prior(path[-1, :, :-1]) + path[-1, :, -1],
        evaluations=evaluations,
        times=sde.time_on(torch.stack(clocks)),
        positions=path[:, :, :-1],
        prior=name,
    )


def score_and_divergence(score: Score, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """The score and its exact divergence.

    Args:
        score: (x, t) -> (N, D); row i may depend on row i of x alone.
        x: Points, shape (N, D).
        t: Time, 0-d.

    Returns:
        Score, shape (N, D), and divergence, shape (N,).
    """
    if isinstance(score, WithDivergence):
        return score.with_divergence(x, t)
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        value = score(x, t)
        divergence = torch.zeros_like(x[:, 0])
        for d in range(x.shape[1]):
            (row,) = torch.autograd.grad(value[:, d].sum(), x, retain_graph=True)
            divergence = divergence + row[:, d]
    return value.detach(), divergence.detach()


def _end_density(
    prior: str | Callable[[Tensor], Tensor], sde: SDE, score: Score
) -> tuple[str, Callable[[Tensor], Tensor]]:
    """Name and log-density of the end at t = 1."""
    if callable(prior):
        return "given", prior
    if prior == "standard":
        return prior, sde.prior_log_prob
    if prior != "exact":
        raise ValueError(f'prior must be "standard", "exact" or a function, got {prior!r}.')
    if not isinstance(score, ExactScore):
        raise ValueError('prior="exact" needs an ExactScore: a learned score has no known p_1.')
    density = score.density
    return prior, lambda x_1: density.log_prob(x_1, sde, 1.0)

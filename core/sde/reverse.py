"""The processes run backwards: everything that a score buys.

With s(x, t) = ∇ log p_t(x), the forward SDE dx = f x dt + g dw has three companions:

    reverse SDE (Anderson, 1982)    dx = [f x − g² s] dt + g dw̄
    probability-flow ODE            dx = [f x − ½ g² s] dt          the same marginals, no noise
    denoiser (Tweedie's formula)    E[x_0 | x_t] = (x_t + σ² s) / α

Time runs from 1 to 0, so dt < 0 in all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from ..densities import GaussianMixture
from .brownian import BrownianPath
from .linear import SDE, per_particle
from .schedules import Time


class Score(Protocol):
    """A score function; a network, a mixture's `ExactScore`, or any function of (x, t)."""

    def __call__(self, x: Tensor, t: Tensor, /) -> Tensor:
        """Returns ∇ log p_t(x), of the shape of x, at a time t, 0-d."""
        ...


class Noise(Protocol):
    """A source of Brownian increments."""

    def increment(self, s: float | Tensor, t: float | Tensor) -> Tensor:
        """Returns a draw of W(t) − W(s) ~ N(0, |t − s| I)."""
        ...

    def fork(self, stream: int) -> Noise:
        """Returns a source independent of this one."""
        ...


@dataclass(frozen=True, eq=False)
class FreshNoise:
    """Independent increments from a generator: no memory, no consistency between grids."""

    generator: torch.Generator
    like: Tensor

    def increment(self, s: float | Tensor, t: float | Tensor) -> Tensor:
        """Returns a fresh N(0, |t − s| I), of the shape and dtype of `like`."""
        noise = torch.randn(
            self.like.shape,
            generator=self.generator,
            device=self.generator.device,
            dtype=self.like.dtype,
        )
        return noise * math.sqrt(abs(float(t) - float(s)))

    def fork(self, stream: int) -> FreshNoise:
        """Returns itself: every draw is independent of the others anyway."""
        return self


class NoNoise:
    """Stands in for noise where none was given, and says so when it is asked for some."""

    def increment(self, s: float | Tensor, t: float | Tensor) -> Tensor:
        """Raises ValueError: the sampler is stochastic."""
        raise ValueError(
            "noise must be a torch.Generator or a BrownianPath for a stochastic sampler, got None."
        )

    def fork(self, stream: int) -> NoNoise:
        """Returns itself."""
        return self


@dataclass(frozen=True, eq=False)
class ExactScore:
    """The score of a diffused mixture, as a function of (x, t).

    Args:
        density: The data.
        sde: The process that destroys it.
    """

    density: GaussianMixture
    sde: SDE

    def __call__(self, x: Tensor, t: Time) -> Tensor:
        """Returns ∇ log p_t(x), shape (N, D)."""
        return self.density.score(x, self.sde, t)

    def with_divergence(self, x: Tensor, t: Time) -> tuple[Tensor, Tensor]:
        """Returns ∇ log p_t(x), shape (N, D), and its divergence, shape (N,)."""
        return self.density.score_and_divergence(x, self.sde, t)


@dataclass(eq=False)
class Reverse:
    """The reverse of a process under a score; counts what the score is asked.

    Args:
        sde: The forward process.
        score: (x, t) -> ∇ log p_t(x), of the shape of x.
        source: Where the noise of stochastic samplers comes from.
        evaluations: Score evaluations so far, each over all particles.
        recalled: What a multistep sampler keeps from its last step: (step length, x̂_0).
    """

    sde: SDE
    score: Score
    source: Noise = field(default_factory=NoNoise)
    evaluations: int = 0
    recalled: tuple[Tensor, Tensor] | None = None

    def score_at(self, x: Tensor, t: Tensor) -> Tensor:
        """Returns ∇ log p_t(x), and counts it."""
        self.evaluations += 1
        with torch.no_grad():
            return self.score(x, t)

    def drift(self, x: Tensor, t: Tensor) -> Tensor:
        """Returns f x − g² s, the drift of the reverse SDE, of the shape of x."""
        return self.sde.drift(x, t) - self.sde.diffusion(t) ** 2 * self.score_at(x, t)

    def velocity(self, x: Tensor, t: Tensor) -> Tensor:
        """Returns f x − ½ g² s, the velocity of the probability-flow ODE, of the shape of x."""
        return self.sde.drift(x, t) - self.sde.diffusion(t) ** 2 / 2 * self.score_at(x, t)

    def clocked(self, x: Tensor, clock: Tensor) -> Tensor:
        """Returns the ODE's velocity per unit of the process's clock, of the shape of x."""
        t = self.sde.time_on(clock)
        return self.velocity(x, t) / self.sde.pace(t)

    def denoise(self, x: Tensor, t: Tensor) -> Tensor:
        """Returns x̂_0 = E[x_0 | x_t = x] by Tweedie's formula, of the shape of x."""
        alpha, sigma = self.sde.marginal(t)
        return (x + sigma**2 * self.score_at(x, t)) / alpha

    def brownian(self, s: Tensor, t: Tensor, like: Tensor, stream: int = 0) -> Tensor:
        """Returns W(t) − W(s), of the dtype and device of `like`; streams are independent paths."""
        source = self.source.fork(stream) if stream else self.source
        return source.increment(s, t).to(like)

    def normal(self, s: Tensor, t: Tensor, like: Tensor, stream: int = 0) -> Tensor:
        """Returns the increment of W from s to t, scaled to a standard normal."""
        return self.brownian(s, t, like, stream) / (s - t).abs().sqrt()


def noise_from(noise: torch.Generator | BrownianPath | None, like: Tensor) -> Noise:
    """Makes a source of increments of the shape of `like`.

    Raises:
        ValueError: If a Brownian path has another shape.
    """
    if noise is None:
        return NoNoise()
    if isinstance(noise, BrownianPath):
        if noise.shape != tuple(like.shape):
            raise ValueError(f"noise must have shape {tuple(like.shape)}, got {noise.shape}.")
        return noise
    return FreshNoise(noise, like)


def denoised(sde: SDE, score: Score, x_t: Tensor, t: Time) -> Tensor:
    """Posterior mean of the data, by Tweedie's formula.

    Args:
        sde: The forward process.
        score: (x, t) -> ∇ log p_t(x).
        x_t: Noisy particles, shape (N, …).
        t: One time for all, or one per particle, shape (N,).

    Returns:
        E[x_0 | x_t], of the shape of x_t.
    """
    t = torch.as_tensor(t, dtype=torch.float64)
    alpha, sigma = (per_particle(value, x_t) for value in sde.marginal(t))
    return (x_t + sigma**2 * score(x_t, t)) / alpha

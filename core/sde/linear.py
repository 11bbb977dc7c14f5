"""Linear SDEs: what all diffusion processes share.

    dx = f(t) x dt + g(t) dw,        x_t | x_0 ~ N(α(t) x_0, σ(t)² I)

with α' = f α and (σ²)' = 2 f σ² + g². Everything else follows from α and σ: transitions between any
two times, the signal-to-noise ratio, and exact simulation along a Brownian path.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from .brownian import BrownianPath
from .schedules import Time, as_time
from .trajectory import Trajectory


class SDE(ABC):
    """A linear SDE, by its marginal and its two coefficients."""

    title: ClassVar[str]

    @abstractmethod
    def marginal(self, t: Time) -> tuple[Tensor, Tensor]:
        """Closed form of x_t | x_0.

        Args:
            t: Times in [0, 1], any shape.

        Returns:
            Mean coefficient α(t) and standard deviation σ(t), float64, of the shape of t.
        """

    @abstractmethod
    def rate(self, t: Time) -> Tensor:
        """Returns f(t), the growth rate of the mean, per unit of time, of the shape of t."""

    @abstractmethod
    def diffusion(self, t: Time) -> Tensor:
        """Returns g(t), standard deviation per square root of time, of the shape of t."""

    @property
    def prior_std(self) -> float:
        """Standard deviation of the Gaussian from which generation starts."""
        return 1.0

    def drift(self, x: Tensor, t: Time) -> Tensor:
        """Drift f(t) x of the forward process.

        Args:
            x: Particles, shape (N, …).
            t: One time, or one per particle, shape (N,).

        Returns:
            Velocity, of the shape and dtype of x.
        """
        return per_particle(self.rate(t), x) * x

    def clock(self, t: Time) -> Tensor:
        """Time on a clock on which the process runs smoothly, increasing, of the shape of t.

        A drawn schedule bends at every node, which fools a solver that adapts its steps; on its
        clock the schedule is gone. t itself for VE.
        """
        return as_time(t)

    def time_on(self, clock: Tensor) -> Tensor:
        """Inverse of `clock`, float64."""
        return clock

    def pace(self, t: Time) -> Tensor:
        """Speed of the clock d clock/dt at t, of the shape of t."""
        return torch.ones_like(as_time(t))

    def half_log_snr(self, t: Time) -> Tensor:
        """Returns log(α/σ) at t, DPM-Solver's λ: decreasing in t, infinite at t = 0."""
        alpha, sigma = self.marginal(t)
        return alpha.log() - sigma.log()

    def time_at(self, half_log_snr: Time) -> Tensor:
        """Inverse of `half_log_snr`, by bisection to rounding.

        Args:
            half_log_snr: Values of log(α/σ), any shape.

        Returns:
            Times, float64; values outside the process's range give 0 or 1.
        """
        target = as_time(half_log_snr)
        low, high = torch.zeros_like(target), torch.ones_like(target)
        for _ in range(54):
            middle = (low + high) / 2
            too_early = self.half_log_snr(middle) > target
            low, high = torch.where(too_early, middle, low), torch.where(too_early, high, middle)
        return high

    def transition(self, s: Time, t: Time) -> tuple[Tensor, Tensor]:
        """Closed form of x_t | x_s for s ≤ t.

        Args:
            s: Earlier time, in [0, 1].
            t: Later time, in [0, 1].

        Returns:
            Mean coefficient α(t)/α(s) and standard deviation √(σ(t)² − (α(t)/α(s))² σ(s)²).
        """
        (alpha_s, sigma_s), (alpha_t, sigma_t) = self.marginal(s), self.marginal(t)
        ratio = alpha_t / alpha_s
        return ratio, (sigma_t.square() - (ratio * sigma_s).square()).clamp(min=0).sqrt()

    def forward(self, x_0: Tensor, times: Tensor, path: BrownianPath) -> Trajectory:
        """Destroys data along a Brownian path.

        Between neighbouring times the exact transition is driven by the increment of the path, so
        the marginals are the closed form's on every grid, and as the grid is refined the trajectory
        converges to the solution of the SDE along that very path (strong order 1).

        Args:
            x_0: Data, shape (N, …).
            times: Increasing times in [0, 1], shape (S + 1,).
            path: Brownian path of the shape of x_0.

        Returns:
            Positions at the times; no score is evaluated.

        Raises:
            ValueError: If the times do not increase within [0, 1] or the path has another shape.
        """
        times = as_time(times).cpu()
        if times.ndim != 1 or not len(times) or times.min() < 0 or times.max() > 1:
            raise ValueError("times must be a vector of times in [0, 1].")
        if not (times.diff() > 0).all():
            raise ValueError("times must increase strictly.")
        if path.shape != tuple(x_0.shape):
            raise ValueError(f"path must have shape {tuple(x_0.shape)}, got {path.shape}.")
        positions, x_s, s = [], x_0, 0.0
        for t in times.tolist():
            if t > s:
                ratio, std = self.transition(s, t)
                noise = path.increment(s, t).to(x_0) / math.sqrt(t - s)
                x_s, s = ratio * x_s + std * noise, t
            positions.append(x_s)
        return Trajectory(times, torch.stack(positions), evaluations=0)

    def prior(
        self,
        n: int,
        dim: int = 2,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Draws the noise from which generation starts.

        Args:
            n: Number of particles.
            dim: Dimension of the space.
            generator: Source of randomness; the particles live on its device.
            dtype: Defaults to torch's default dtype.

        Returns:
            x_1 ~ N(0, prior_std² I), shape (n, dim).
        """
        device = generator.device if generator is not None else None
        noise = torch.randn(n, dim, generator=generator, device=device, dtype=dtype)
        return self.prior_std * noise

    def prior_log_prob(self, x: Tensor) -> Tensor:
        """Returns log N(x; 0, prior_std² I) in nats, shape (N,), from x of shape (N, …)."""
        flat = x.flatten(1) / self.prior_std
        normaliser = flat.shape[1] * math.log(self.prior_std * math.sqrt(2 * math.pi))
        return -flat.square().sum(1) / 2 - normaliser


def per_particle(value: Tensor, x: Tensor) -> Tensor:
    """Makes one number for all, or one per particle (N,), multiply x of shape (N, …)."""
    if value.ndim == 0:
        return value
    return value.to(x).reshape(-1, *[1] * (x.ndim - 1))

"""The forward processes: linear SDEs that carry any data to a Gaussian.

    dx = f(t) x dt + g(t) dw,        x_t | x_0 ~ N(α(t) x_0, σ(t)² I)

with α' = f α and (σ²)' = 2 f σ² + g², t = 0 at the data and t = 1 at the noise. The three of Song
et al. (2021) differ in f and g alone, and B(t) = ∫_0^t β is the schedule's integral:

    process   f        g²                          α           σ
    VP        −β/2     β                           e^(−B/2)    √(1 − e^(−B))
    sub-VP    −β/2     β (1 − e^(−2B))             e^(−B/2)    1 − e^(−B)
    VE        0        d(σ²)/dt                    1           σ_min √((σ_max/σ_min)^(2t) − 1)

VP keeps the variance of standardised data, VE lets it explode, sub-VP stays below VP. Coefficients
are float64 whatever the particles are, because float32 loses σ near t = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from .linear import SDE
from .schedules import Linear, Schedule, Time, as_time


class _Scheduled(SDE):
    """What VP and sub-VP share: the decay −β/2 of the mean, and the clock.

    Every schedule runs the same process at another speed, as α and σ depend on B alone. The clock
    shows the time at which the standard linear schedule has destroyed as much, so that for that
    schedule it is t.
    """

    schedule: Schedule
    standard: ClassVar[Linear] = Linear()

    def rate(self, t: Time) -> Tensor:
        """Returns −β(t)/2."""
        return -self.schedule.beta(t) / 2

    def clock(self, t: Time) -> Tensor:
        """Returns the time at which the standard schedule reaches B(t); it may exceed 1."""
        return self.standard.inverse(self.schedule.integral(t))

    def time_on(self, clock: Tensor) -> Tensor:
        """Returns the time at which B is that of the standard schedule at `clock`."""
        return self.schedule.inverse(self.standard.integral(clock)).clamp(max=1)

    def pace(self, t: Time) -> Tensor:
        """Returns β(t) over the standard schedule's β at the same B."""
        return self.schedule.beta(t) / self.standard.beta(self.clock(t))


@dataclass(frozen=True)
class VP(_Scheduled):
    """Variance preserving: dx = −½ β x dt + √β dw, the limit of DDPM.

    References:
        Score-Based Generative Modeling through SDEs (Song et al., 2021), equations 11 and 29.
    """

    schedule: Schedule = field(default_factory=Linear)
    title: ClassVar[str] = "VP"

    def marginal(self, t: Time) -> tuple[Tensor, Tensor]:
        """Returns α = e^(−B/2) and σ = √(1 − e^(−B)) at t."""
        integral = self.schedule.integral(t)
        return (-integral / 2).exp(), (-torch.expm1(-integral)).sqrt()

    def diffusion(self, t: Time) -> Tensor:
        """Returns √β(t)."""
        return self.schedule.beta(t).sqrt()


@dataclass(frozen=True)
class SubVP(_Scheduled):
    """Sub-variance preserving: VP's drift, less noise: g² = β (1 − e^(−2B)).

    References:
        Score-Based Generative Modeling through SDEs (Song et al., 2021), equations 12 and 29.
    """

    schedule: Schedule = field(default_factory=Linear)
    title: ClassVar[str] = "sub-VP"

    def marginal(self, t: Time) -> tuple[Tensor, Tensor]:
        """Returns α = e^(−B/2) and σ = 1 − e^(−B) at t."""
        integral = self.schedule.integral(t)
        return (-integral / 2).exp(), -torch.expm1(-integral)

    def diffusion(self, t: Time) -> Tensor:
        """Returns √(β(t) (1 − e^(−2B(t))))."""
        return (-self.schedule.beta(t) * torch.expm1(-2 * self.schedule.integral(t))).sqrt()


@dataclass(frozen=True)
class VE(SDE):
    """Variance exploding: dx = g dw, the noise growing geometrically and the data standing still.

    Args:
        sigma_min: Noise scale at t = 0; positive. The variance itself starts at 0 there, as that
            of the SDE does (code that keeps σ_min at t = 0 differs by σ_min²).
        sigma_max: Noise scale at t = 1; above sigma_min.

    Raises:
        ValueError: If not 0 < sigma_min < sigma_max.

    References:
        Score-Based Generative Modeling through SDEs (Song et al., 2021), equations 9, 29 and 30.
    """

    sigma_min: float = 0.01
    sigma_max: float = 50.0
    title: ClassVar[str] = "VE"

    def __post_init__(self) -> None:
        """Checks the scales."""
        if not 0 < self.sigma_min < math.inf:
            raise ValueError(f"sigma_min must be positive and finite, got {self.sigma_min:g}.")
        if not self.sigma_min < self.sigma_max < math.inf:
            raise ValueError(
                f"sigma_max must be finite and above sigma_min = {self.sigma_min:g}, "
                f"got {self.sigma_max:g}."
            )

    @property
    def prior_std(self) -> float:
        """Returns σ_max: at t = 1 the data is a speck inside the noise."""
        return self.sigma_max

    @property
    def _growth(self) -> float:
        """log(σ_max/σ_min), per unit of time."""
        return math.log(self.sigma_max / self.sigma_min)

    def marginal(self, t: Time) -> tuple[Tensor, Tensor]:
        """Returns α = 1 and σ = σ_min √((σ_max/σ_min)^(2t) − 1) at t."""
        t = as_time(t)
        sigma = self.sigma_min * torch.expm1(2 * self._growth * t).sqrt()
        return torch.ones_like(sigma), sigma

    def rate(self, t: Time) -> Tensor:
        """Returns 0: the mean stays where the data is."""
        return torch.zeros_like(as_time(t))

    def diffusion(self, t: Time) -> Tensor:
        """Returns σ_min (σ_max/σ_min)^t √(2 log(σ_max/σ_min))."""
        scale = self.sigma_min * (self._growth * as_time(t)).exp()
        return scale * math.sqrt(2 * self._growth)

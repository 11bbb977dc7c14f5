"""Noise schedules: how fast the data drowns.

A schedule is a rate β(t) ≥ 0 over t in [0, 1] together with its integral

    B(t) = ∫_0^t β(s) ds,

which is all that the processes need: the VP mean coefficient, say, is exp(−B/2). Integrals and
their inverses are in closed form, so marginals carry no quadrature error. Times may have any shape;
results are float64.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

Time = float | Tensor


def as_time(t: Time) -> Tensor:
    """Returns t as a float64 tensor: rounding t = 1e-5 in float32 would already move σ(t)."""
    return torch.as_tensor(t, dtype=torch.float64)


class Schedule(ABC):
    """A rate β(t) and its integral."""

    @abstractmethod
    def beta(self, t: Time) -> Tensor:
        """Returns β(t), per unit of time, float64, of the shape of t."""

    @abstractmethod
    def integral(self, t: Time) -> Tensor:
        """Returns B(t) = ∫_0^t β, float64, of the shape of t."""

    @abstractmethod
    def inverse(self, integral: Time) -> Tensor:
        """Returns the t at which B(t) is the given value, float64, of its shape."""


def _solve_quadratic(slope: Tensor, bend: Tensor, value: Tensor) -> Tensor:
    """The x ≥ 0 with slope x + bend x² / 2 = value, in the form that does not cancel."""
    root = (slope.square() + 2 * bend * value).clamp(min=0).sqrt()
    return 2 * value / (slope + root)


@dataclass(frozen=True)
class Linear(Schedule):
    """β(t) = β_min + t (β_max − β_min): DDPM's schedule in continuous time.

    Args:
        beta_min: Rate at the data, t = 0; positive.
        beta_max: Rate at the noise, t = 1; positive.

    Raises:
        ValueError: If a rate is not positive and finite.

    References:
        Score-Based Generative Modeling through SDEs (Song et al., 2021), equation 32.
    """

    beta_min: float = 0.1
    beta_max: float = 20.0

    def __post_init__(self) -> None:
        """Checks the rates."""
        for name, rate in (("beta_min", self.beta_min), ("beta_max", self.beta_max)):
            if not 0 < rate < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {rate:g}.")

    def beta(self, t: Time) -> Tensor:
        """Returns β(t), per unit of time, float64, of the shape of t."""
        return self.beta_min + as_time(t) * (self.beta_max - self.beta_min)

    def integral(self, t: Time) -> Tensor:
        """Returns B(t) = t β_min + t² (β_max − β_min) / 2, float64, of the shape of t."""
        t = as_time(t)
        return t * self.beta_min + t.square() * ((self.beta_max - self.beta_min) / 2)

    def inverse(self, integral: Time) -> Tensor:
        """Returns the t at which B(t) is the given value, float64, of its shape."""
        slope, bend = as_time(self.beta_min), as_time(self.beta_max - self.beta_min)
        return _solve_quadratic(slope, bend, as_time(integral))


@dataclass(frozen=True)
class Cosine(Schedule):
    """exp(−B(t)) = cos²(u(t)) / cos²(u(0)) with u(t) = (t + s)/(1 + s) · π/2, clipped near t = 1.

    There β(t) = π/(1 + s) · tan u(t), infinite at t = 1. Nichol & Dhariwal clip the discrete β_i at
    0.999 for that reason; here the rate is clipped at `beta_max`, with the default from t = 0.980
    on, which leaves exp(−B(1)/2) = 0.012 of the data (linear: 0.007).

    Args:
        offset: s, keeps β away from 0 at the data; non-negative.
        beta_max: Largest rate, per unit of time; above the rate at t = 0.

    Raises:
        ValueError: If the offset is negative or beta_max not above β(0).

    References:
        Improved Denoising Diffusion Probabilistic Models (Nichol & Dhariwal, 2021), equation 17.
    """

    offset: float = 0.008
    beta_max: float = 100.0

    def __post_init__(self) -> None:
        """Checks the offset and the clip."""
        if not 0 <= self.offset < math.inf:
            raise ValueError(f"offset must be non-negative and finite, got {self.offset:g}.")
        start = math.pi / (1 + self.offset) * math.tan(self._angle(torch.tensor(0.0)).item())
        if not start < self.beta_max < math.inf:
            raise ValueError(
                f"beta_max must be finite and above {start:.3g}, got {self.beta_max:g}."
            )

    def _angle(self, t: Tensor) -> Tensor:
        """u(t), in [0, π/2]."""
        return (t + self.offset) * (math.pi / 2 / (1 + self.offset))

    @property
    def clipped_from(self) -> float:
        """The time at which β reaches beta_max and stays there."""
        angle = math.atan(self.beta_max * (1 + self.offset) / math.pi)
        return angle * (1 + self.offset) / (math.pi / 2) - self.offset

    def beta(self, t: Time) -> Tensor:
        """Returns β(t), per unit of time, float64, of the shape of t."""
        angle = self._angle(as_time(t).clamp(max=self.clipped_from))
        return math.pi / (1 + self.offset) * angle.tan()

    def integral(self, t: Time) -> Tensor:
        """Returns B(t) = ∫_0^t β, float64, of the shape of t."""
        t = as_time(t)
        free = t.clamp(max=self.clipped_from)
        start = self._angle(torch.zeros_like(t))
        cosine = 2 * (start.cos().log() - self._angle(free).cos().log())
        return cosine + self.beta_max * (t - free)

    def inverse(self, integral: Time) -> Tensor:
        """Returns the t at which B(t) is the given value, float64, of its shape."""
        integral = as_time(integral)
        before_clip = self.integral(self.clipped_from).to(integral.device)
        start = self._angle(torch.zeros_like(integral))
        # 1 − cos² from expm1 and sin², because arccos loses half the digits near t = 0.
        free = integral.minimum(before_clip)
        sine = (start.sin().square() - torch.expm1(-free) * start.cos().square()).sqrt()
        share = torch.atan2(sine, start.cos() * (-free / 2).exp()) / (math.pi / 2)
        t = share * (1 + self.offset) - self.offset
        return (t + (integral - free) / self.beta_max).clamp(min=0)


@dataclass(frozen=True)
class Drawn(Schedule):
    """A rate drawn by hand: values at evenly spaced times from 0 to 1, joined by straight lines.

    Args:
        values: Rates, per unit of time, non-negative, two or more, not all zero.
        floor: Values below it are lifted to it: where β = 0 nothing is destroyed, the
            signal-to-noise ratio stands still and there is nothing to reverse. Positive.

    Raises:
        ValueError: If a value is negative or not finite, all are zero, or fewer than two are given.
    """

    values: tuple[float, ...]
    floor: float = 0.01

    def __post_init__(self) -> None:
        """Checks the drawing."""
        if len(self.values) < 2:
            raise ValueError(f"values must hold at least 2 numbers, got {len(self.values)}.")
        for value in self.values:
            if not 0 <= value < math.inf:
                raise ValueError(f"values must be non-negative and finite, got {value:g}.")
        if not any(self.values):
            raise ValueError("values must not all be zero: nothing would ever be destroyed.")
        if not 0 < self.floor < math.inf:
            raise ValueError(f"floor must be positive and finite, got {self.floor:g}.")

    def _nodes(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """β and B at the evenly spaced times."""
        beta = torch.tensor(self.values, dtype=torch.float64, device=device).clamp(min=self.floor)
        areas = (beta[1:] + beta[:-1]) / (2 * (len(beta) - 1))
        return beta, torch.nn.functional.pad(areas.cumsum(0), (1, 0))

    def beta(self, t: Time) -> Tensor:
        """Returns β(t), per unit of time, float64, of the shape of t."""
        t, cells = as_time(t), len(self.values) - 1
        beta, _ = self._nodes(t.device)
        cell = (t * cells).floor().clamp(0, cells - 1).long()
        return torch.lerp(beta[cell], beta[cell + 1], t * cells - cell)

    def integral(self, t: Time) -> Tensor:
        """Returns B(t) = ∫_0^t β, float64, of the shape of t."""
        t, cells = as_time(t), len(self.values) - 1
        beta, area = self._nodes(t.device)
        cell = (t * cells).floor().clamp(0, cells - 1).long()
        share = t * cells - cell
        rise = beta[cell + 1] - beta[cell]
        return area[cell] + (share * beta[cell] + share.square() * rise / 2) / cells

    def inverse(self, integral: Time) -> Tensor:
        """Returns the t at which B(t) is the given value, float64, of its shape."""
        integral, cells = as_time(integral), len(self.values) - 1
        beta, area = self._nodes(integral.device)
        cell = (torch.searchsorted(area, integral, right=True) - 1).clamp(0, cells - 1)
        rest = (integral - area[cell]) * cells
        share = _solve_quadratic(beta[cell], beta[cell + 1] - beta[cell], rest)
        return (cell + share) / cells

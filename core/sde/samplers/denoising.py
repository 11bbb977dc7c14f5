"""Samplers that step through x̂_0: denoise, then noise again to a lower level.

They know the process by α(t) and σ(t) alone, so each serves VP, sub-VP and VE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..linear import SDE
from ..reverse import Reverse
from .base import OneStep


@dataclass(frozen=True)
class DDIM(OneStep):
    """Splits x_s into x̂_0 and noise, and puts them together for time t.

    With η = 0 it is the probability-flow ODE, exact when x̂_0 does not change along the step; η = 1
    renews as much noise as the forward transition adds (ancestral sampling). α and σ are all it
    needs, so it serves VP, sub-VP and VE alike.

    Args:
        eta: Share of the renewed noise, in [0, 1].

    Raises:
        ValueError: If eta is outside [0, 1].

    References:
        Denoising Diffusion Implicit Models (Song, Meng & Ermon, 2021), equations 12 and 16.
    """

    eta: float = 0.0
    key: ClassVar[str] = "ddim"
    title: ClassVar[str] = "DDIM"

    def __post_init__(self) -> None:
        """Checks the settings."""
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must be in [0, 1], got {self.eta:g}.")

    @property
    def stochastic(self) -> bool:
        """Whether any noise is renewed."""
        return self.eta > 0

    @property
    def order(self) -> float | None:
        """1 for the ODE; not defined for η > 0, where every η has an SDE of its own as limit."""
        return None if self.eta else 1

    def step(self, reverse: Reverse, x_s: Tensor, s: Tensor, t: Tensor) -> Tensor:
        """x_t = α_t x̂_0 + √(σ_t² − fresh²) ε̂ + fresh z."""
        (alpha_s, sigma_s), (alpha_t, sigma_t) = reverse.sde.marginal(s), reverse.sde.marginal(t)
        x_0 = reverse.denoise(x_s, s)
        noise = (x_s - alpha_s * x_0) / sigma_s
        if not self.eta:
            return alpha_t * x_0 + sigma_t * noise
        fresh = self.eta * sigma_t / sigma_s * reverse.sde.transition(t, s)[1]
        kept = (sigma_t**2 - fresh**2).sqrt()
        return alpha_t * x_0 + kept * noise + fresh * reverse.normal(s, t, x_s)


@dataclass(frozen=True)
class DPMSolverPP2M(OneStep):
    """DPM-Solver++(2M): the ODE in λ = log(α/σ), x̂_0 extrapolated from the last two steps.

    Its linear part is solved exactly, and its grid is even in λ, where the solution bends evenly.

    References:
        DPM-Solver++ (Lu et al., 2022), algorithm 2.
    """

    key: ClassVar[str] = "dpmpp_2m"
    title: ClassVar[str] = "DPM-Solver++(2M)"

    @property
    def order(self) -> float:
        """Global error falls as the square of the step in λ."""
        return 2

    def grid(self, sde: SDE, steps: int, stop: float = 1e-3) -> Tensor:
        """Times to visit, evenly spaced in λ, from 1 down to stop."""
        ends = sde.half_log_snr(torch.tensor([1.0, stop], dtype=torch.float64))
        inner = torch.linspace(float(ends[0]), float(ends[1]), steps + 1, dtype=torch.float64)
        times = sde.time_at(inner)
        times[0], times[-1] = 1, stop
        return times

    def step(self, reverse: Reverse, x_s: Tensor, s: Tensor, t: Tensor) -> Tensor:
        """x_t = σ_t/σ_s x_s − α_t (e^(−h) − 1) x̂_0, with x̂_0 extrapolated to mid-step."""
        (_, sigma_s), (alpha_t, sigma_t) = reverse.sde.marginal(s), reverse.sde.marginal(t)
        h = reverse.sde.half_log_snr(t) - reverse.sde.half_log_snr(s)
        x_0 = middle = reverse.denoise(x_s, s)
        if reverse.recalled is not None:
            h_before, x_0_before = reverse.recalled
            middle = x_0 + h / (2 * h_before) * (x_0 - x_0_before)
        reverse.recalled = h, x_0
        return sigma_t / sigma_s * x_s - alpha_t * torch.expm1(-h) * middle

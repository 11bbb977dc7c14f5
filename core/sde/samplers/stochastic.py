"""Samplers that discretise the reverse SDE dx = [f x − g² ∇log p] dt + g dw̄."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..reverse import Reverse
from .base import Stochastic


@dataclass(frozen=True)
class EulerMaruyama(Stochastic):
    """The reverse SDE, frozen over each step.

    g depends on time alone (the noise is additive), so the strong order is 1 rather than ½.
    """

    key: ClassVar[str] = "euler_maruyama"
    title: ClassVar[str] = "Euler–Maruyama"

    def step(self, reverse: Reverse, x_s: Tensor, s: Tensor, t: Tensor) -> Tensor:
        """One step of dx = [f x − g² ∇log p] dt + g dw̄."""
        noise = reverse.sde.diffusion(s) * reverse.brownian(s, t, x_s)
        return x_s + (t - s) * reverse.drift(x_s, s) + noise


@dataclass(frozen=True)
class ReverseDiffusion(Stochastic):
    """The forward transition x_s = r x_t + b z, turned around to first order.

    References:
        Score-Based Generative Modeling through SDEs (Song et al., 2021), appendix E, equation 46:
        with r = √(1 − β_i) the VP predictor of algorithm 3, with r = 1 the VE one of algorithm 2.
    """

    key: ClassVar[str] = "reverse_diffusion"
    title: ClassVar[str] = "Reverse diffusion"

    def step(self, reverse: Reverse, x_s: Tensor, s: Tensor, t: Tensor) -> Tensor:
        """Undoes the mean's change, follows the score, and adds as much noise as was added."""
        ratio, std = reverse.sde.transition(t, s)
        mean = (2 - ratio) * x_s + std**2 * reverse.score_at(x_s, s)
        return mean + std * reverse.normal(s, t, x_s)


@dataclass(frozen=True)
class PredictorCorrector(ReverseDiffusion):
    """Reverse diffusion, then Langevin dynamics at the new time to repair its marginal.

    Noise and score enter the Langevin step size as norms averaged over the particles, so what one
    particle does depends (weakly) on the others.

    Args:
        corrector_steps: Langevin updates per step, at least 1.
        snr: Signal-to-noise ratio of a Langevin update; positive.

    Raises:
        ValueError: If corrector_steps is less than 1 or snr not positive.

    References:
        Score-Based Generative Modeling through SDEs (Song et al., 2021), algorithms 4 and 5.
    """

    corrector_steps: int = 1
    snr: float = 0.16
    key: ClassVar[str] = "predictor_corrector"
    title: ClassVar[str] = "Predictor–corrector"

    def __post_init__(self) -> None:
        """Checks the settings."""
        if self.corrector_steps < 1:
            raise ValueError(f"corrector_steps must be at least 1, got {self.corrector_steps}.")
        if not 0 < self.snr < math.inf:
            raise ValueError(f"snr must be positive and finite, got {self.snr:g}.")

    @property
    def order(self) -> None:
        """Not defined: the Langevin step does not shrink with the grid."""
        return None

    @property
    def evaluations_per_step(self) -> int:
        """One for the predictor and one per Langevin update."""
        return 1 + self.corrector_steps

    def step(self, reverse: Reverse, x_s: Tensor, s: Tensor, t: Tensor) -> Tensor:
        """Predicts x_t, then lets it relax towards p_t."""
        x_t = super().step(reverse, x_s, s, t)
        ratio, _ = reverse.sde.transition(t, s)
        for stream in range(1, self.corrector_steps + 1):
            score, noise = reverse.score_at(x_t, t), reverse.normal(s, t, x_t, stream)
            relative = noise.flatten(1).norm(dim=1).mean() / score.flatten(1).norm(dim=1).mean()
            size = 2 * ratio**2 * (self.snr * relative) ** 2
            x_t = x_t + size * score + (2 * size).sqrt() * noise
        return x_t

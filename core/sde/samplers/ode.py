"""Samplers that discretise the probability-flow ODE dx = [f x − ½ g² ∇log p] dt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..dormand_prince import integrate
from ..reverse import Reverse
from .base import OneStep, Sampler


@dataclass(frozen=True)
class Heun(OneStep):
    """The probability-flow ODE by the trapezoidal rule, predicted by Euler.

    References:
        Elucidating the Design Space of Diffusion-Based Generative Models (Karras et al., 2022),
        algorithm 1, in the time of the SDE.
    """

    key: ClassVar[str] = "heun"
    title: ClassVar[str] = "Heun (probability-flow ODE)"

    @property
    def order(self) -> float:
        """Global error falls as the square of the step."""
        return 2

    @property
    def evaluations_per_step(self) -> int:
        """One at each end of the step."""
        return 2

    def step(self, reverse: Reverse, x_s: Tensor, s: Tensor, t: Tensor) -> Tensor:
        """Averages the velocity here and where an Euler step would land."""
        v_s = reverse.velocity(x_s, s)
        v_t = reverse.velocity(x_s + (t - s) * v_s, t)
        return x_s + (t - s) / 2 * (v_s + v_t)


@dataclass(frozen=True)
class RK45(Sampler):
    """The probability-flow ODE by Dormand–Prince 5(4), with steps chosen by the error.

    The grid says where to look, not where to step: frames between steps are interpolated.

    Args:
        tolerance: Absolute and relative error per step, in (0, 1).

    References:
        Score-Based Generative Modeling through SDEs (Song et al., 2021), appendix D.4.
    """

    tolerance: float = 1e-5
    key: ClassVar[str] = "rk45"
    title: ClassVar[str] = "RK45 (probability-flow ODE)"

    @property
    def order(self) -> float:
        """Global error falls as the fifth power of the step."""
        return 5

    @property
    def evaluations_per_step(self) -> None:
        """None: it takes what the tolerance demands, rejected steps included."""
        return None

    def frames(self, reverse: Reverse, x_1: Tensor, times: Tensor) -> Iterator[Tensor]:
        """Yields the particles at times[1:] from the solver's own steps."""
        clock, shown = reverse.sde.clock(times), 1
        for step in integrate(reverse.clocked, x_1, clock[0], clock[-1], self.tolerance):
            while shown < len(times) and clock[shown] >= step.t:
                yield step.at(clock[shown])
                shown += 1

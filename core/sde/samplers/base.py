"""What every sampler is: a grid of times and a way from one to the next.

`Sampler.frames` is the loop, a subclass's `step` is one update from time s to an earlier time t. A
step asks the `Reverse` process for what it needs: the reverse drift, the ODE's velocity or the
denoised x̂_0. Subscripts are times, and x_0 stands for the estimate x̂_0 = E[x_0 | x_s].
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..linear import SDE
from ..reverse import Reverse


class Sampler(ABC):
    """How to get from noise to data, as a sequence of frames.

    Attributes:
        key: Short name, for links and settings.
        title: Name as in the literature.
        stochastic: Whether steps draw noise.
        order: Order of convergence in the step: global error for a deterministic sampler, strong
            error (along one Brownian path) for a stochastic one; None where neither is defined.
        evaluations_per_step: Score evaluations a step costs, or None if it adapts.
    """

    key: ClassVar[str]
    title: ClassVar[str]

    @property
    def stochastic(self) -> bool:
        """Whether steps draw noise."""
        return False

    @property
    def order(self) -> float | None:
        """Order of convergence in the step, or None where it is not defined."""
        return 1

    @property
    def evaluations_per_step(self) -> int | None:
        """Score evaluations a step costs, or None if it adapts."""
        return 1

    @property
    def shown(self) -> Callable[..., Any]:
        """The function whose source says what this sampler does."""
        return type(self).frames

    def grid(self, sde: SDE, steps: int, stop: float = 1e-3) -> Tensor:
        """Times to visit, evenly spaced.

        Args:
            sde: The process.
            steps: Number of steps, at least 1.
            stop: Last time, above 0: scores of narrow data grow without bound as t falls to 0.

        Returns:
            Times from 1 down to stop, shape (steps + 1,), float64.
        """
        return torch.linspace(1, stop, steps + 1, dtype=torch.float64)

    @abstractmethod
    def frames(self, reverse: Reverse, x_1: Tensor, times: Tensor) -> Iterator[Tensor]:
        """Yields the particles at times[1:], of the shape of x_1."""


class OneStep(Sampler):
    """A sampler that repeats one update over the grid."""

    @property
    def shown(self) -> Callable[..., Any]:
        """The update."""
        return type(self).step

    @abstractmethod
    def step(self, reverse: Reverse, x_s: Tensor, s: Tensor, t: Tensor) -> Tensor:
        """Returns x_t from x_s, where t < s; times are 0-d, float64."""

    def frames(self, reverse: Reverse, x_1: Tensor, times: Tensor) -> Iterator[Tensor]:
        """Yields the particles at times[1:], of the shape of x_1."""
        x = x_1
        for s, t in pairwise(times):
            x = self.step(reverse, x, s, t)
            yield x


class Stochastic(OneStep):
    """An update that draws noise."""

    @property
    def stochastic(self) -> bool:
        """Whether steps draw noise."""
        return True

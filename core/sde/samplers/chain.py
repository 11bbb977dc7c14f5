"""DDPM's discrete Markov chain, from which the SDE view grew.

x_i = √(1 − β_i) x_{i−1} + √β_i z for i = 1 … T, run backwards through the Gaussian posterior
q(x_{i−1} | x_i, x_0) at the estimate x̂_0. As T grows it becomes the VP SDE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..linear import SDE
from ..processes import VP
from ..reverse import Reverse
from .base import Sampler


@dataclass(frozen=True, eq=False)
class Chain:
    """DDPM's tables, indexed from 0 (data) to T (noise), each of shape (T + 1,), float64.

    Args:
        beta: Variance added by step i; beta[0] is 0.
        alpha_bar: Signal power Π (1 − β) left after step i; alpha_bar[0] is 1.
        time: The time at which the SDE has the same signal-to-noise ratio, within [0, 1].
    """

    beta: Tensor
    alpha_bar: Tensor
    time: Tensor

    @classmethod
    def of(cls, sde: VP, length: int) -> Chain:
        """Discretises a VP process: β_i = β((i − 1)/(T − 1)) / T, at most 0.999.

        For the linear schedule and T = 1000 these are DDPM's 1e-4 to 0.02.

        Args:
            sde: The process.
            length: T, at least 1.
        """
        t = torch.linspace(0, 1, length, dtype=torch.float64)
        beta = (sde.schedule.beta(t) / length).clamp(max=0.999)
        beta = torch.nn.functional.pad(beta, (1, 0))
        alpha_bar = (1 - beta).cumprod(0)
        log_snr = alpha_bar.log() - (1 - alpha_bar).log()
        return cls(beta, alpha_bar, sde.time_at(log_snr / 2))


@dataclass(frozen=True)
class DDPM(Sampler):
    """The discrete chain of DDPM, with as many steps as T; it approaches the VP SDE as T grows.

    Frame i is placed at t = i/T. The score is asked at the time at which the SDE has the chain's
    signal-to-noise ratio, because that is the noise it sees. The chain ends at t = 0.

    References:
        Denoising Diffusion Probabilistic Models (Ho et al., 2020), equations 7 and 11, algorithm 2.
    """

    key: ClassVar[str] = "ddpm"
    title: ClassVar[str] = "DDPM (discrete chain)"

    @property
    def stochastic(self) -> bool:
        """Every step draws noise."""
        return True

    @property
    def order(self) -> float:
        """The chain's marginals approach the SDE's as 1/T."""
        return 1

    @property
    def shown(self) -> Callable[..., Any]:
        """The ancestral step."""
        return type(self).step

    def grid(self, sde: SDE, steps: int, stop: float = 0.0) -> Tensor:
        """Times i/T from 1 down to 0, whatever the stop: the chain has no other."""
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64)

    def step(self, reverse: Reverse, x_i: Tensor, i: int, chain: Chain) -> Tensor:
        """Samples q(x_{i−1} | x_i, x̂_0), from x_i and the noise ε̂ in it."""
        beta, alpha_bar, before = chain.beta[i], chain.alpha_bar[i], chain.alpha_bar[i - 1]
        noise = -(1 - alpha_bar).sqrt() * reverse.score_at(x_i, chain.time[i])
        mean = (x_i - beta / (1 - alpha_bar).sqrt() * noise) / (1 - beta).sqrt()
        std = ((1 - before) / (1 - alpha_bar) * beta).sqrt()
        s, t = torch.tensor([i, i - 1], dtype=torch.float64) / (len(chain.beta) - 1)
        return mean + std * reverse.normal(s, t, x_i)

    def frames(self, reverse: Reverse, x_1: Tensor, times: Tensor) -> Iterator[Tensor]:
        """Yields x_{T−1}, …, x_0."""
        length = len(times) - 1
        if not isinstance(reverse.sde, VP):
            raise ValueError(
                f"DDPM is the discretisation of VP, got {reverse.sde.title}; "
                "reverse diffusion is its counterpart there."
            )
        if not torch.equal(times, self.grid(reverse.sde, length)):
            raise ValueError("steps must be a number for DDPM: its times are those of its chain.")
        chain, x = Chain.of(reverse.sde, length), x_1
        for i in range(length, 0, -1):
            x = self.step(reverse, x, i, chain)
            yield x

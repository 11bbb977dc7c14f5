"""A score learned from samples alone, by denoising score matching.

The score of p_t is out of reach, that of x_t | x_0 ~ N(α x_0, σ² I) is not: it is −z/σ for the
noise z that was added. Regressing on it recovers the other, because the minimiser of

    E |ε_θ(α x_0 + σ z, t) − z|²     is     ε*(x, t) = E[z | x_t = x] = −σ ∇ log p_t(x).

The network only learns what a Gaussian of the data's variance does not already explain:

    ε_θ(x, t) = σ x / (α² + σ²) + α / √(α² + σ²) · F_θ(x / √(α² + σ²), t),

so F_θ has inputs and targets of unit size at every noise level, in VP and VE alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn

from ..densities import GaussianMixture
from .linear import SDE, per_particle
from .reverse import Score
from .schedules import Time, as_time

# Frequencies in space (a bare perceptron blurs thin strokes) and in log-SNR.
_SPACE = (1.0, 2.0, 4.0)
_LEVEL = tuple(2 ** (k / 2 - 2) for k in range(8))


class Data(Protocol):
    """Anything to learn from."""

    def sample(self, n: int, *, generator: torch.Generator | None) -> Tensor:
        """Returns n points, shape (n, D)."""
        ...


@dataclass(frozen=True)
class Training:
    """Settings of a training run.

    Args:
        steps: Adam steps, at least 1.
        batch: Fresh points per step, at least 1.
        learning_rate: At the start; it falls to 0 along a cosine.
        width: Units per hidden layer.
        depth: Hidden layers, at least 1.

    Raises:
        ValueError: If a number is less than 1 or the learning rate not positive.
    """

    steps: int = 500
    batch: int = 512
    learning_rate: float = 1e-2
    width: int = 96
    depth: int = 3

    def __post_init__(self) -> None:
        """Checks the settings."""
        for name in ("steps", "batch", "width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate:g}.")


class ScoreNetwork(nn.Module):
    """A multilayer perceptron of (x, log-SNR) that is a score: network(x, t) -> ∇ log p_t(x).

    Args:
        sde: The process; it gives α(t) and σ(t).
        dim: Dimension of the space, D.
        width: Units per hidden layer.
        depth: Hidden layers.
        generator: Source of the initial weights, on the CPU.

    References:
        Elucidating the Design Space of Diffusion-Based Generative Models (Karras et al., 2022),
        table 1 (the preconditioning, with data of variance 1); Fourier Features Let Networks Learn
        High Frequency Functions (Tancik et al., 2020).
    """

    def __init__(
        self,
        sde: SDE,
        dim: int = 2,
        width: int = 96,
        depth: int = 3,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.sde = sde
        inputs = dim * (1 + 2 * len(_SPACE)) + 1 + 2 * len(_LEVEL)
        sizes = [inputs, *[width] * depth]
        self.hidden = nn.ModuleList(
            _linear(fan_in, fan_out, generator) for fan_in, fan_out in pairwise(sizes)
        )
        self.readout = _linear(width, dim, generator)
        nn.init.zeros_(self.readout.weight)

    def noise_estimate(self, x: Tensor, t: Time) -> Tensor:
        """Estimated noise ε_θ in noisy points.

        Args:
            x: Points, shape (N, D).
            t: One time for all, or one per point, shape (N,).

        Returns:
            Estimate of z = (x − α x_0)/σ, shape (N, D).
        """
        t = as_time(t)
        alpha, sigma = self.sde.marginal(t)
        size = torch.hypot(alpha, sigma)
        level = self.sde.half_log_snr(t).to(x).expand(len(x))[:, None]
        scaled = x / per_particle(size, x)
        features = torch.cat([_waves(scaled, _SPACE), _waves(level / 4, _LEVEL)], 1)
        for layer in self.hidden:
            features = nn.functional.silu(layer(features))
        gaussian = per_particle(sigma / size**2, x) * x
        rest: Tensor = self.readout(features)
        return gaussian + per_particle(alpha / size, x) * rest

    def forward(self, x: Tensor, t: Time) -> Tensor:
        """Returns the score −ε_θ/σ, shape (N, D); t as in `noise_estimate`."""
        _, sigma = self.sde.marginal(t)
        return -self.noise_estimate(x, t) / per_particle(sigma, x)


def _linear(fan_in: int, fan_out: int, generator: torch.Generator | None) -> nn.Linear:
    """A layer of variance 1/fan_in that draws from a generator, unlike nn.Linear's own start."""
    layer = nn.Linear(fan_in, fan_out, device="meta").to_empty(device="cpu")
    nn.init.normal_(layer.weight, std=fan_in**-0.5, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def _waves(value: Tensor, frequencies: tuple[float, ...]) -> Tensor:
    """A value, its sines and its cosines, shape (N, D (1 + 2 F)), from shape (N, D)."""
    angles = torch.cat([value * frequency for frequency in frequencies], 1)
    return torch.cat([value, angles.sin(), angles.cos()], 1)


@dataclass(frozen=True, eq=False)
class TrainingStep:
    """One step of training.

    Args:
        step: From 1 to the number of steps.
        loss: Mean squared error of ε_θ over this batch, per coordinate.
        network: The network, still learning; usable as a score at any moment.
    """

    step: int
    loss: float
    network: ScoreNetwork


def train(
    density: Data,
    sde: SDE,
    settings: Training = Training(),
    generator: torch.Generator | None = None,
    dim: int = 2,
) -> Iterator[TrainingStep]:
    """Learns a score from samples, one step at a time; stop iterating to stop training.

    Times are stratified over the batch, one in each of `batch` equal intervals: the loss varies
    more with t than with anything else.

    Args:
        density: Where fresh data comes from; should have variance about 1.
        sde: The process.
        settings: Size, length and speed.
        generator: Source of data, noise, times and initial weights, on the CPU.
        dim: Dimension of the space, D.

    Yields:
        A record after every step.

    References:
        A Connection Between Score Matching and Denoising Autoencoders (Vincent, 2011), section 4;
        Score-Based Generative Modeling through SDEs (Song et al., 2021), equation 7, λ = σ².
    """
    network = ScoreNetwork(sde, dim, settings.width, settings.depth, generator)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate, fused=True)
    strata = torch.arange(settings.batch, dtype=torch.float64)
    for step in range(1, settings.steps + 1):
        for group in optimizer.param_groups:
            fall = (1 + math.cos(math.pi * (step - 1) / settings.steps)) / 2
            group["lr"] = settings.learning_rate * fall
        x_0 = density.sample(settings.batch, generator=generator)
        t = 1e-3 + (1 - 1e-3) * (strata + torch.rand(1, generator=generator)) / settings.batch
        alpha, sigma = (per_particle(value, x_0) for value in sde.marginal(t))
        noise = torch.randn(x_0.shape, generator=generator, dtype=x_0.dtype)
        loss = (network.noise_estimate(alpha * x_0 + sigma * noise, t) - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield TrainingStep(step, loss.item(), network)


@dataclass(frozen=True, eq=False)
class ScoreError:
    """How wrong a score is at one time.

    Args:
        field: |ŝ − s| at every grid point, shape (G,).
        rms: √(E |ŝ − s|²) under p_t.
        relative: rms / √(E |s|²).
    """

    field: Tensor
    rms: float
    relative: float


def score_error(
    network: Score, density: GaussianMixture, sde: SDE, t: Time, grid: Tensor
) -> ScoreError:
    """Compares a learned score with the exact one.

    Args:
        network: The learned score, (x, t) -> (G, D).
        density: The data.
        sde: The process.
        t: One time, in (0, 1].
        grid: Points that cover p_t evenly, shape (G, D); p_t weighs them.

    Returns:
        The error at every point, and its averages under p_t.
    """
    with torch.no_grad():
        exact = density.score(grid, sde, t)
        field = (network(grid, as_time(t)) - exact).norm(dim=1)
        weight = density.log_prob(grid, sde, t).double().softmax(0)
    rms = float((weight @ field.double().square()).sqrt())
    size = float((weight @ exact.double().square().sum(1)).sqrt())
    return ScoreError(field, rms, rms / size)

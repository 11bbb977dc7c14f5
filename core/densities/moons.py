"""Two interleaved half-circles blurred by Gaussian noise: small, curved, and with a known density.

With θ ~ U[0, π] and one of two arcs chosen by a fair coin,

    x = (cos θ, sin θ) + noise · z   or   x = (1 − cos θ, ½ − sin θ) + noise · z,     z ~ N(0, I).

Given θ it is Gaussian, so the density is an integral over θ. Gauss–Legendre quadrature turns it
into a finite Gaussian mixture, accurate to rounding once the nodes are closer than the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .mixture import GaussianMixture


def _arcs(theta: Tensor) -> tuple[Tensor, Tensor]:
    """The two half-circles, each of shape (…, 2)."""
    upper = torch.stack([theta.cos(), theta.sin()], -1)
    return upper, torch.stack([1 - theta.cos(), 0.5 - theta.sin()], -1)


@dataclass(frozen=True)
class TwoMoons:
    """The two-moons density in its native coordinates, about [-1.3, 2.3] × [-0.8, 1.3].

    Args:
        noise: Standard deviation of the blur, at least 0.01.

    Raises:
        ValueError: If the noise is below 0.01 (the quadrature would need thousands of nodes).
    """

    noise: float = 0.1

    def __post_init__(self) -> None:
        """Checks the noise."""
        if not 0.01 <= self.noise < math.inf:
            raise ValueError(f"noise must be at least 0.01 and finite, got {self.noise:g}.")

    def as_mixture(self) -> GaussianMixture:
        """Returns the Gauss–Legendre mixture that equals the density up to rounding."""
        nodes = 32 + math.ceil(8 / self.noise)
        roots, weights = np.polynomial.legendre.leggauss(nodes)
        theta = (torch.from_numpy(roots) + 1) * (math.pi / 2)
        means = torch.cat(_arcs(theta))
        return GaussianMixture(
            torch.from_numpy(weights).repeat(2), means, torch.full((2 * nodes,), self.noise)
        )

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density.

        Args:
            x: Points, shape (N, 2).

        Returns:
            log p(x) in nats, shape (N,).
        """
        return self.as_mixture().log_prob(x)

    def sample(
        self, n: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None
    ) -> Tensor:
        """Draws independent points, from a continuous θ rather than from the quadrature.

        Args:
            n: Number of points, at least 1.
            generator: Source of randomness; the points live on its device.
            dtype: Defaults to torch's default dtype.

        Returns:
            Points, shape (n, 2).

        Raises:
            ValueError: If n is less than 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}.")
        device = generator.device if generator is not None else torch.device("cpu")
        dtype = dtype or torch.get_default_dtype()
        uniform = torch.rand(n, 2, generator=generator, device=device, dtype=dtype)
        upper, lower = _arcs(math.pi * uniform[:, 0])
        noise = torch.randn(n, 2, generator=generator, device=device, dtype=dtype)
        return torch.where(uniform[:, 1:] < 0.5, upper, lower) + self.noise * noise

    def entropy(self, cells: int = 400) -> float:
        """Differential entropy −∫ p log p by the midpoint rule: the loss of a perfect model.

        Args:
            cells: Cells along each side of the box that holds all but e⁻³² of the mass.

        Returns:
            Entropy in nats; 1.0076 for noise 0.1.
        """
        middle = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
        reach = 8 * self.noise
        width, height = 3 + 2 * reach, 1.5 + 2 * reach
        x, y = -1 - reach + width * middle, -0.5 - reach + height * middle
        log_p = self.log_prob(torch.cartesian_prod(x, y))
        return -float((log_p.exp() * log_p).sum()) * width * height / cells**2

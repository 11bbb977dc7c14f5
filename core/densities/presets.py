"""Ready-made densities in the plane, each a Gaussian mixture of mean 0 and variance 1.

Variance one is what the variance-preserving SDE preserves, and it makes pictures comparable.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .mixture import GaussianMixture
from .moons import TwoMoons


def _equal(means: Tensor, std: float) -> GaussianMixture:
    """Standardised mixture of equal weights and equal widths."""
    ones = torch.ones(len(means), dtype=torch.float64)
    return GaussianMixture(ones, means, std * ones).standardized()


def eight_gaussians() -> GaussianMixture:
    """Eight well-separated Gaussians on a circle: do all modes get their share?"""
    angle = torch.arange(8, dtype=torch.float64) * (math.pi / 4)
    return _equal(torch.stack([angle.cos(), angle.sin()], 1), 0.1)


def two_moons() -> GaussianMixture:
    """The two moons of `TwoMoons` with noise 0.1, standardised."""
    return TwoMoons().as_mixture().standardized()


def spiral(turns: float = 2.25, components: int = 160) -> GaussianMixture:
    """An Archimedean spiral of even ink: a curve that folds close to itself.

    Args:
        turns: Revolutions from the inner to the outer end.
        components: Number of Gaussians along the curve.
    """
    # Length along r = θ grows as θ² / 2, so even steps in θ² are nearly even steps along the curve.
    share = torch.linspace(0.02, 1, components, dtype=torch.float64)
    angle = 2 * math.pi * turns * share.sqrt()
    means = torch.stack([angle * angle.cos(), angle * angle.sin()], 1)
    return _equal(means, 0.9)


def checkerboard(squares: int = 4, per_side: int = 5) -> GaussianMixture:
    """The dark squares of a board: flat plateaus and sharp edges, which Gaussians find hard.

    Args:
        squares: Squares along a side.
        per_side: Gaussians along the side of a square.
    """
    inside = (torch.arange(per_side, dtype=torch.float64) + 0.5) / per_side
    offsets = torch.cartesian_prod(inside, inside)
    corners = [(i, j) for i in range(squares) for j in range(squares) if (i + j) % 2]
    means = torch.cat([offsets + torch.tensor(corner) for corner in corners])
    return _equal(means, 0.5 / per_side)


PRESETS: dict[str, Callable[[], GaussianMixture]] = {
    "eight_gaussians": eight_gaussians,
    "two_moons": two_moons,
    "spiral": spiral,
    "checkerboard": checkerboard,
}

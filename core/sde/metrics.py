"""How far apart two clouds of points are.

Both distances are zero for equal distributions only, need no density and no binning.
"""

from __future__ import annotations

import torch
from torch import Tensor

_ROWS = 512


def sliced_wasserstein(
    x: Tensor, y: Tensor, projections: int = 128, generator: torch.Generator | None = None
) -> Tensor:
    """Sliced 2-Wasserstein distance: the mean over directions of a distance that sorting solves.

    On a line the optimal transport matches quantiles, so each random direction costs one sort.

    Args:
        x: Points, shape (N, D).
        y: Points, shape (M, D).
        projections: Number of random directions, at least 1.
        generator: Source of the directions, on any device.

    Returns:
        √(E_θ W_2²(θ·x, θ·y)), 0-d, in the units of x.

    Raises:
        ValueError: If the dimensions differ or projections is less than 1.

    References:
        Sliced and Radon Wasserstein Barycenters of Measures (Bonneel et al., 2015), section 3.
    """
    _check(x, y)
    if projections < 1:
        raise ValueError(f"projections must be at least 1, got {projections}.")
    device = generator.device if generator is not None else None
    directions = torch.randn(x.shape[1], projections, generator=generator, device=device)
    directions = torch.nn.functional.normalize(directions.to(x), dim=0)
    # Quantile functions are steps: compare them on every interval between the steps of either.
    cuts = torch.cat([_levels(x), _levels(y)]).sort().values
    widths = cuts.diff(prepend=torch.zeros_like(cuts[:1]))
    middles = cuts - widths / 2
    quantiles = [
        (points @ directions)
        .sort(dim=0)
        .values[(middles * len(points)).long().clamp(max=len(points) - 1)]
        for points in (x, y)
    ]
    squares = (quantiles[0] - quantiles[1]).square()
    return (widths.to(x) @ squares).mean().sqrt()


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """Energy distance 2 E|X − Y| − E|X − X'| − E|Y − Y'| between empirical distributions.

    Args:
        x: Points, shape (N, D).
        y: Points, shape (M, D).

    Returns:
        A non-negative number, 0-d, in the units of x; the pairs are visited in blocks of rows.

    Raises:
        ValueError: If the dimensions differ.

    References:
        Energy statistics: statistics based on distances (Székely & Rizzo, 2013), section 2.
    """
    _check(x, y)
    return 2 * _mean_distance(x, y) - _mean_distance(x, x) - _mean_distance(y, y)


def _levels(points: Tensor) -> Tensor:
    """Cumulative probabilities 1/N, …, 1 at which a quantile function jumps."""
    count = len(points)
    return torch.arange(1, count + 1, dtype=torch.float64, device=points.device) / count


def _mean_distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean of |x_i − y_j| over all pairs."""
    means = x.new_empty(len(x))
    for block, mean in zip(torch.split(x, _ROWS), torch.split(means, _ROWS), strict=True):
        mean.copy_(torch.cdist(block, y, compute_mode="donot_use_mm_for_euclid_dist").mean(1))
    return means.mean()


def _check(x: Tensor, y: Tensor) -> None:
    """Refuses clouds that do not share a space."""
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        raise ValueError(
            "x and y must have shapes (N, D) and (M, D), "
            f"got {tuple(x.shape)} and {tuple(y.shape)}."
        )

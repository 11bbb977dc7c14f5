"""What a run leaves behind: times, positions and what it cost."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Positions of all particles at a sequence of times.

    Args:
        times: Shape (S + 1,), float64; falling in generation, rising in destruction.
        positions: Shape (S + 1, N, …).
        evaluations: Score evaluations spent, each over all particles.
    """

    times: Tensor
    positions: Tensor
    evaluations: int

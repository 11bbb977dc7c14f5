"""Dormand–Prince 5(4): the adaptive Runge–Kutta pair behind every "RK45".

Seven slopes give a solution of order 5 and, from the same slopes, one of order 4; their difference
estimates the error, and the step is made as long as the tolerance allows. The last slope of a step
is the first of the next, so an accepted step costs six evaluations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor], Tensor]

# Nodes, slope weights (row i feeds slope i + 1; the last row is the order-5 solution) and the
# difference of the two solutions' weights: Dormand & Prince (1980), table 2.
_NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
_SLOPES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
# Order-4 interpolant: the weight of slope i at share u of the step is Σ_j row_i[j] u^(j + 1)
# (Shampine, 1986).
_DENSE = (
    (1, -8048581381 / 2820520608, 8663915743 / 2820520608, -12715105075 / 11282082432),
    (0, 0, 0, 0),
    (0, 131558114200 / 32700410799, -68118460800 / 10900136933, 87487479700 / 32700410799),
    (0, -1754552775 / 470086768, 14199869525 / 1410260304, -10690763975 / 1880347072),
    (0, 127303824393 / 49829197408, -318862633887 / 49829197408, 701980252875 / 199316789632),
    (0, -282668133 / 205662961, 2019193451 / 616988883, -1453857185 / 822651844),
    (0, 40617522 / 29380423, -110615467 / 29380423, 69997945 / 29380423),
)
_MOST_STEPS = 1_000


@dataclass(frozen=True, eq=False)
class Segment:
    """One accepted step from (s, x_s) to (t, x_t), with the seven slopes it was made of."""

    s: Tensor
    t: Tensor
    x_s: Tensor
    x_t: Tensor
    slopes: tuple[Tensor, ...]

    def at(self, time: Tensor) -> Tensor:
        """Solution at a time inside the step, to order 4, of the shape of x_t."""
        share = float((time - self.s) / (self.t - self.s))
        if share == 1:
            return self.x_t
        powers = [share ** (j + 1) for j in range(4)]
        weights = [sum(p * w for p, w in zip(powers, row, strict=True)) for row in _DENSE]
        return self.x_s + (self.t - self.s) * _combine(weights, self.slopes)


def dormand_prince_step(
    velocity: Velocity, s: Tensor, t: Tensor, x_s: Tensor, v_s: Tensor
) -> Segment:
    """One step of order 5.

    Args:
        velocity: (x, t) -> dx/dt, of the shape of x.
        s: Time at the start, 0-d.
        t: Time at the end, 0-d; before s to integrate backwards.
        x_s: State at s, shape (N, …).
        v_s: velocity(x_s, s).

    Returns:
        The step; its last slope is the velocity at (x_t, t).

    References:
        A family of embedded Runge-Kutta formulae (Dormand & Prince, 1980), table 2.
    """
    slopes = [v_s]
    for node, weights in zip(_NODES, _SLOPES, strict=True):
        x = x_s + (t - s) * _combine(weights, slopes)
        slopes.append(velocity(x, s + node * (t - s)))
    return Segment(s, t, x_s, x, tuple(slopes))


def integrate(
    velocity: Velocity, x: Tensor, start: Tensor, stop: Tensor, tolerance: float
) -> Iterator[Segment]:
    """Integrates dx/dt = velocity(x, t) with steps as long as the tolerance allows.

    The error of a particle is the root mean square over its coordinates, relative to
    tolerance · (1 + |x|), and the worst particle decides: each is as accurate as if it were alone.

    Args:
        velocity: (x, t) -> dx/dt, of the shape of x; t is 0-d, float64.
        x: State at start, shape (N, …).
        start: Initial time, 0-d, float64.
        stop: Final time, before or after start, 0-d, float64.
        tolerance: Absolute and relative error allowed per step.

    Yields:
        The accepted steps, in order.

    Raises:
        ValueError: If the tolerance is not positive.
        ArithmeticError: If 1 000 steps do not reach the end or the solution is not finite.

    References:
        Solving Ordinary Differential Equations I (Hairer, Nørsett & Wanner, 1993), section II.4.
    """
    if not 0 < tolerance < 1:
        raise ValueError(f"tolerance must be between 0 and 1, got {tolerance:g}.")
    s, v_s = start, velocity(x, start)
    h = _first_step(velocity, x, v_s, s, stop, tolerance)
    for _ in range(_MOST_STEPS):
        t = stop if (stop - s).abs() <= h.abs() * (1 + 1e-9) else s + h
        step = dormand_prince_step(velocity, s, t, x, v_s)
        error = _norm((t - s) * _combine(_ERROR, step.slopes), x, step.x_t, tolerance)
        h = (t - s) * min(5.0, max(0.2, 0.9 * max(error, 1e-10) ** -0.2))
        if error <= 1:
            yield step
            s, x, v_s = t, step.x_t, step.slopes[-1]
            if s == stop:
                return
    raise ArithmeticError(f"RK45 did not reach {float(stop):g} in {_MOST_STEPS} steps.")


def _first_step(
    velocity: Velocity, x: Tensor, v: Tensor, s: Tensor, end: Tensor, tolerance: float
) -> Tensor:
    """A first step of the right magnitude, for one evaluation (Hairer et al., II.4, p. 169)."""
    size, speed = _norm(x, x, x, tolerance), _norm(v, x, x, tolerance)
    direction = (end - s).sign()
    trial = direction * min(0.01 * size / speed if speed > 0 else 1e-3, float((end - s).abs()))
    bend = _norm(velocity(x + trial * v, s + trial) - v, x, x, tolerance) / trial.abs()
    rate = max(speed, float(bend))
    guess = (0.01 / rate) ** 0.2 if rate > 0 else 1.0
    return direction * min(100 * float(trial.abs()), guess, float((end - s).abs()))


def _combine(
    weights: tuple[float, ...] | list[float], slopes: tuple[Tensor, ...] | list[Tensor]
) -> Tensor:
    """Σ_i weights[i] slopes[i]."""
    total = weights[0] * slopes[0]
    for weight, slope in zip(weights[1:], slopes[1:], strict=True):
        if weight:
            total = total.add(slope, alpha=weight)
    return total


def _norm(error: Tensor, x_s: Tensor, x_t: Tensor, tolerance: float) -> float:
    """Largest over particles of the root mean square of error / (tolerance (1 + |x|))."""
    allowed = tolerance * (1 + torch.maximum(x_s.abs(), x_t.abs()))
    worst = float((error / allowed).flatten(1).square().mean(1).max().sqrt())
    if worst != worst:
        raise ArithmeticError("RK45 met a value that is not a number.")
    return worst

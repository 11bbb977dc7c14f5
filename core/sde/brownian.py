"""One Brownian path, seen through any grid.

Samplers with different steps can only be compared on the same noise if the increments over a coarse
grid are the sums of those over a fine one. Lévy's construction gives the path value by value: with
W known at both ends of an interval, its middle is

    W((a + b)/2) | W(a), W(b) ~ N((W(a) + W(b))/2, (b − a)/4),

and the noise of every midpoint has its own seed, so a value never depends on which others were
asked for. Neighbouring queries share most of their ancestors, which are remembered; memory does not
grow with the number of steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LEVELS = 14
_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9


def _scramble(key: int) -> int:
    """Mixes 32 bits one to one (the finaliser of MurmurHash3): close keys get unrelated seeds."""
    key &= _MASK
    key = ((key ^ key >> 16) * 0x85EBCA6B) & _MASK
    key = ((key ^ key >> 13) * 0xC2B2AE35) & _MASK
    return key ^ key >> 16


class BrownianPath:
    """A standard Brownian motion W on [0, 1], one independent copy per entry of `shape`.

    Halving stops at intervals of 2⁻¹⁴; inside one of them a single Gaussian bends the path, so a
    grid with at most one time in each sees exact Brownian increments.

    Args:
        shape: Shape of W(t), such as (N, 2).
        seed: Names the path; any integer.
        device: Where the path lives. CPU and CUDA draw different paths from one seed.

    References:
        Scalable Gradients for Stochastic Differential Equations (Li et al., 2020), section 4.
    """

    def __init__(
        self, shape: tuple[int, ...], seed: int, device: torch.device | str = "cpu"
    ) -> None:
        self.shape = tuple(shape)
        self.seed = seed
        self.device = torch.device(device)
        self._generator = torch.Generator(self.device)
        # Mixed twice: once would give node n of path m the seed of node m of path n.
        self._key = _scramble(_scramble(seed ^ seed >> 32) + _GOLDEN)
        zero = torch.zeros(self.shape, dtype=torch.float64, device=self.device)
        # Ancestors of the last query: (heap index, left end, right end, W left, W right).
        self._ancestors = [(1, 0.0, 1.0, zero, self._normal(0))]
        self._last = (0.0, zero)
        self._forks: dict[int, BrownianPath] = {}

    def fork(self, stream: int) -> BrownianPath:
        """Returns another path, independent of this one, named by this seed and a stream ≥ 1."""
        if stream not in self._forks:
            seed = _scramble(self._key + _GOLDEN * stream)
            self._forks[stream] = BrownianPath(self.shape, seed, self.device)
        return self._forks[stream]

    def at(self, t: float | Tensor) -> Tensor:
        """Value of the path.

        Args:
            t: A time in [0, 1].

        Returns:
            W(t), of the path's shape, float64.

        Raises:
            ValueError: If t is outside [0, 1].
        """
        t = float(t)
        if not 0 <= t <= 1:
            raise ValueError(f"t must be in [0, 1], got {t:g}.")
        if t != self._last[0]:
            self._last = (t, self._descend(t))
        return self._last[1]

    def increment(self, s: float | Tensor, t: float | Tensor) -> Tensor:
        """Returns W(t) − W(s), of the path's shape, float64; s may come after t."""
        before = self.at(s)
        return self.at(t) - before

    def increments(self, times: Tensor) -> Tensor:
        """Increments over a grid.

        Args:
            times: Times in [0, 1] in any order, shape (S + 1,).

        Returns:
            W(times[i + 1]) − W(times[i]), shape (S, *shape), float64.
        """
        return torch.stack([self.at(t) for t in times.tolist()]).diff(dim=0)

    def _normal(self, node: int) -> Tensor:
        """The standard normal that belongs to a node of the tree, the same at every visit."""
        self._generator.manual_seed(_scramble(_scramble(node) ^ self._key))
        # Drawn in float32 for speed: what must be exact is that sums agree, not the 25th bit.
        return torch.randn(self.shape, generator=self._generator, device=self.device).double()

    def _descend(self, t: float) -> Tensor:
        """Halves the interval around t until t is an end of it or the finest level is reached."""
        while not self._ancestors[-1][1] <= t <= self._ancestors[-1][2]:
            self._ancestors.pop()
        while True:
            node, a, b, w_a, w_b = self._ancestors[-1]
            if t == a:
                return w_a
            if t == b:
                return w_b
            if len(self._ancestors) > _LEVELS:
                bridge = math.sqrt((t - a) * (b - t) / (b - a)) * self._normal(node)
                return w_a + (t - a) / (b - a) * (w_b - w_a) + bridge
            middle = (a + b) / 2
            w_middle = (w_a + w_b) / 2 + math.sqrt(b - a) / 2 * self._normal(node)
            if t <= middle:
                self._ancestors.append((2 * node, a, middle, w_a, w_middle))
            else:
                self._ancestors.append((2 * node + 1, middle, b, w_middle, w_b))

"""Gaussian mixtures: the densities whose diffusion is known exactly.

A linear SDE sends a point mass to a Gaussian, x_t | x_0 ~ N(α x_0, σ² I), hence a mixture

    p(x)   = Σ_k w_k N(x; m_k, s_k² I)     to the mixture
    p_t(x) = Σ_k w_k N(x; α m_k, v_k I),   v_k = α² s_k² + σ²,

with the same weights. Its score is the pull of every component, weighted by responsibilities r_k:

    ∇ log p_t(x) = Σ_k r_k(x) (α m_k − x) / v_k,     r = softmax_k(log w_k N(x; α m_k, v_k I)).

No network, no Monte Carlo: what a sampler gets wrong with this score is the sampler's own error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

# Entries of a temporary, particles × components: 256 KiB in float32 stays in a core's cache and is
# recycled by the allocator, while a GPU wants enough work per launch.
_CHUNK_ENTRIES = {"cpu": 2**16, "cuda": 2**24}


class Marginal(Protocol):
    """Anything that knows x_t | x_0 ~ N(α(t) x_0, σ(t)² I): every process of `core.sde` does."""

    def marginal(self, t: float | Tensor) -> tuple[Tensor, Tensor]:
        """Returns the mean coefficient α(t) and the standard deviation σ(t)."""
        ...


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of isotropic Gaussians and, at any time of a diffusion, its exact score.

    Every method takes an optional process and time: `score(x, sde, t)` is `at(sde, t).score(x)`.
    Results have the dtype and device of `x`; memory is bounded, whatever the number of particles.

    Args:
        weights: Non-negative, shape (K,); normalised to sum to 1.
        means: Centres, shape (K, D).
        stds: Positive standard deviations, one per component, shape (K,).

    Raises:
        ValueError: If the shapes disagree, a weight is negative or all are zero, or a std is not
            positive.

    References:
        Score-Based Generative Modeling through SDEs (Song et al., 2021), section 3.3, appendix B.
    """

    weights: Tensor
    means: Tensor
    stds: Tensor

    def __post_init__(self) -> None:
        """Checks the components and keeps them in float64."""
        weights, means, stds = (
            torch.as_tensor(value, dtype=torch.float64)
            for value in (self.weights, self.means, self.stds)
        )
        if weights.ndim != 1 or means.ndim != 2 or not len(weights) == len(means) == len(stds):
            raise ValueError(
                "weights, means and stds must have shapes (K,), (K, D) and (K,), got "
                f"{tuple(weights.shape)}, {tuple(means.shape)} and {tuple(stds.shape)}."
            )
        if not (weights >= 0).all() or not 0 < weights.sum() < math.inf:
            raise ValueError("weights must be non-negative, finite and not all zero.")
        if not (stds > 0).all() or not means.isfinite().all():
            raise ValueError(
                f"stds must be positive and means finite, got {stds.min():g} as a std."
            )
        object.__setattr__(self, "weights", weights / weights.sum())
        object.__setattr__(self, "means", means)
        object.__setattr__(self, "stds", stds)

    @property
    def components(self) -> int:
        """Number of Gaussians, K."""
        return len(self.weights)

    @property
    def dim(self) -> int:
        """Dimension of the space, D."""
        return self.means.shape[1]

    @property
    def mean(self) -> Tensor:
        """Exact mean, shape (D,), float64."""
        return self.weights @ self.means

    @property
    def variance(self) -> float:
        """Exact variance, averaged over the coordinates."""
        spread = (self.means - self.mean).square().mean(1) + self.stds.square()
        return float(self.weights @ spread)

    def standardized(self) -> GaussianMixture:
        """Returns the mixture shifted and uniformly scaled to mean 0 and variance 1."""
        scale = math.sqrt(self.variance)
        return GaussianMixture(self.weights, (self.means - self.mean) / scale, self.stds / scale)

    def at(self, sde: Marginal | None, t: float | Tensor = 0.0) -> GaussianMixture:
        """Diffuses the mixture up to time t.

        Args:
            sde: The process, or None for the data itself.
            t: One time for all particles, in [0, 1].

        Returns:
            The mixture of N(α m_k, α² s_k² + σ²), with the same weights.

        Raises:
            ValueError: If t holds more than one time.
        """
        if sde is None:
            return self
        alpha, sigma = (coefficient.to("cpu", torch.float64) for coefficient in sde.marginal(t))
        if alpha.ndim:
            raise ValueError(
                f"t must be one time for all particles, got shape {tuple(alpha.shape)}."
            )
        stds = torch.hypot(alpha * self.stds, sigma)
        return GaussianMixture(self.weights, alpha * self.means, stds)

    def log_prob(self, x: Tensor, sde: Marginal | None = None, t: float | Tensor = 0.0) -> Tensor:
        """Log-density of the diffused mixture.

        Args:
            x: Points, shape (N, D).
            sde: The process, or None for the data itself.
            t: One time for all particles, in [0, 1].

        Returns:
            log p_t(x) in nats, shape (N,).
        """
        mixture = self.at(sde, t)

        def logsumexp(chunk: Tensor, logits: Tensor, squared: Tensor) -> Tensor:
            # The largest share is 1 / Σ exp(logit − largest). Unlike torch's logsumexp, softmax
            # does not slow down tenfold on exponentials that underflow, and here most do.
            return logits.amax(1, True) - logits.softmax(1).amax(1, True).log()

        return mixture._map(logsumexp, x, columns=1)[:, 0]

    def score(self, x: Tensor, sde: Marginal | None = None, t: float | Tensor = 0.0) -> Tensor:
        """Gradient of the log-density of the diffused mixture.

        Args:
            x: Points, shape (N, D).
            sde: The process, or None for the data itself.
            t: One time for all particles, in [0, 1].

        Returns:
            ∇ log p_t(x), shape (N, D).
        """
        mixture = self.at(sde, t)
        pull = mixture._pull().to(x)

        def weighted_pull(chunk: Tensor, logits: Tensor, squared: Tensor) -> Tensor:
            return _apply_pull(pull, logits.softmax(1), chunk)

        return mixture._map(weighted_pull, x, columns=self.dim)

    def score_and_divergence(
        self, x: Tensor, sde: Marginal | None = None, t: float | Tensor = 0.0
    ) -> tuple[Tensor, Tensor]:
        """The score together with its divergence, the Laplacian of log p_t.

        With d_k = (α m_k − x) / v_k the pull of one component, ∇·Σ_k r_k d_k is the variance of the
        pulls under the responsibilities minus what each loses as x approaches its centre:

            Σ_k r_k (|d_k|² − D / v_k) − |Σ_k r_k d_k|².

        Args:
            x: Points, shape (N, D).
            sde: The process, or None for the data itself.
            t: One time for all particles, in [0, 1].

        Returns:
            ∇ log p_t(x), shape (N, D), and ∇·∇ log p_t(x), shape (N,).
        """
        mixture = self.at(sde, t)
        pull = mixture._pull().to(x)
        precision = mixture.stds.square().reciprocal().to(x)

        def laplacian(chunk: Tensor, logits: Tensor, squared: Tensor) -> Tensor:
            share = logits.softmax(1)
            score = _apply_pull(pull, share, chunk)
            bend = (share * precision * (squared * precision - mixture.dim)).sum(1, keepdim=True)
            return torch.cat([score, bend - score.square().sum(1, keepdim=True)], 1)

        both = mixture._map(laplacian, x, columns=self.dim + 1)
        return both[:, :-1], both[:, -1]

    def sample(
        self,
        n: int,
        sde: Marginal | None = None,
        t: float | Tensor = 0.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Draws independent points of the diffused mixture.

        Args:
            n: Number of points, at least 1.
            sde: The process, or None for the data itself.
            t: One time for all particles, in [0, 1].
            generator: Source of randomness; the points live on its device.
            dtype: Defaults to torch's default dtype.

        Returns:
            Points, shape (n, D).

        Raises:
            ValueError: If n is less than 1.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}.")
        mixture = self.at(sde, t)
        device = generator.device if generator is not None else torch.device("cpu")
        dtype = dtype or torch.get_default_dtype()
        weights = mixture.weights.to(device)
        chosen = torch.multinomial(weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.dim, generator=generator, device=device, dtype=dtype)
        return mixture.means.to(noise)[chosen] + mixture.stds.to(noise)[chosen, None] * noise

    def _pull(self) -> Tensor:
        """Rows m_1/v, …, m_D/v and 1/v: what the responsibilities are averaged with, (D + 1, K)."""
        precision = self.stds.square().reciprocal()
        return torch.cat([self.means.T * precision, precision[None]])

    def _map(
        self, function: Callable[[Tensor, Tensor, Tensor], Tensor], x: Tensor, columns: int
    ) -> Tensor:
        """Applies a function of (x, logits, squared distances) to all chunks of x, (N, columns)."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"x must have shape (N, {self.dim}), got {tuple(x.shape)}.")
        # Written in place: small results kept between large temporaries would fragment the heap
        # until it holds a whole (N, K) matrix.
        result, start = x.new_empty(len(x), columns), 0
        for terms in self._chunks(x):
            result[start : start + len(terms[0])] = function(*terms)
            start += len(terms[0])
        return result

    def _chunks(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yields x, log w_k N(x; m_k, v_k) and |x − m_k|² for some particles at a time.

        Distances are squares of differences: expanding them into |x|² − 2 x·m + |m|² would be one
        matrix product, but cancels catastrophically in float32 when a component is narrow.
        """
        variance = self.stds.square()
        normaliser = self.weights.log() - self.dim / 2 * (2 * math.pi * variance).log()
        means, normaliser, slope = (
            value.to(x) for value in (self.means.T.contiguous(), normaliser, -0.5 / variance)
        )
        rows = max(1, _CHUNK_ENTRIES.get(x.device.type, 2**16) // self.components)
        for chunk in torch.split(x, rows):
            squared = _difference(chunk[:, :1], means[0]).square()
            for d in range(1, self.dim):
                difference = _difference(chunk[:, d : d + 1], means[d])
                squared = torch.addcmul(squared, difference, difference)
            yield chunk, torch.addcmul(normaliser, squared, slope), squared


def _difference(column: Tensor, row: Tensor) -> Tensor:
    """Returns column − row, shape (N, K), from shapes (N, 1) and (K,)."""
    if column.device.type == "cpu" and torch.get_float32_matmul_precision() == "highest":
        # The product by a row of ones is exact: this rounds as the subtraction does, but faster.
        return torch.addmm(-row, column, torch.ones_like(row)[None])
    return column - row


def _apply_pull(pull: Tensor, share: Tensor, x: Tensor) -> Tensor:
    """Σ_k r_k m_k / v_k − x Σ_k r_k / v_k, shape (N, D), from responsibilities of shape (N, K)."""
    average = torch.nn.functional.linear(share, pull)
    return average[:, :-1] - x * average[:, -1:]

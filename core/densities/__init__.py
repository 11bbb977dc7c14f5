"""Densities with an exact answer: what is drawn, painted or written becomes a Gaussian mixture.

A mixture stays a mixture under diffusion, so its log-density, score and samples are known exactly
at every time. That makes it the oracle by which samplers, flows and learned scores are measured.

    >>> from core.densities import word
    >>> density = word("SDE")
    >>> x = density.sample(1000)          # (1000, 2)
    >>> density.log_prob(x).mean()        # minus the entropy
"""

from .ink import from_ink, word
from .mixture import GaussianMixture, Marginal
from .moons import TwoMoons
from .presets import PRESETS, checkerboard, eight_gaussians, spiral, two_moons

__all__ = [
    "PRESETS",
    "GaussianMixture",
    "Marginal",
    "TwoMoons",
    "checkerboard",
    "eight_gaussians",
    "from_ink",
    "spiral",
    "two_moons",
    "word",
]

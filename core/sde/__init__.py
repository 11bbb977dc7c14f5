"""Diffusion as a stochastic differential equation, forward and in reverse.

dx = f(x, t) dt + g(t) dw tears data down to noise; with the score ∇ log p_t it runs backwards, as
an SDE or as an ODE with the same marginals. With a Gaussian mixture for data the score is exact, so
samplers can be compared by their own errors, on one Brownian path.

    >>> import torch
    >>> from core.densities import two_moons
    >>> from core.sde import DPMSolverPP2M, ExactScore, VP, log_likelihood, sample
    >>> sde, data = VP(), two_moons()
    >>> score = ExactScore(data, sde)
    >>> x_1 = sde.prior(1000, generator=torch.Generator().manual_seed(0))
    >>> run = sample(sde, score, x_1, DPMSolverPP2M(), steps=20)
    >>> run.positions.shape, run.evaluations
    (torch.Size([21, 1000, 2]), 20)
    >>> log_likelihood(run.positions[-1], sde, score, prior="exact").log_prob.mean()
"""

from .brownian import BrownianPath
from .learned import ScoreError, ScoreNetwork, Training, TrainingStep, score_error, train
from .likelihood import Likelihood, log_likelihood, score_and_divergence
from .linear import SDE
from .metrics import energy_distance, sliced_wasserstein
from .processes import VE, VP, SubVP
from .reverse import ExactScore, Reverse, Score, denoised
from .run import Step, sample, trace
from .samplers import (
    DDIM,
    DDPM,
    RK45,
    SAMPLERS,
    Chain,
    DPMSolverPP2M,
    EulerMaruyama,
    Heun,
    PredictorCorrector,
    ReverseDiffusion,
    Sampler,
)
from .schedules import Cosine, Drawn, Linear, Schedule
from .trajectory import Trajectory

__all__ = [
    "DDIM",
    "DDPM",
    "RK45",
    "SAMPLERS",
    "SDE",
    "VE",
    "VP",
    "BrownianPath",
    "Chain",
    "Cosine",
    "DPMSolverPP2M",
    "Drawn",
    "EulerMaruyama",
    "ExactScore",
    "Heun",
    "Likelihood",
    "Linear",
    "PredictorCorrector",
    "Reverse",
    "ReverseDiffusion",
    "Sampler",
    "Schedule",
    "Score",
    "ScoreError",
    "ScoreNetwork",
    "Step",
    "SubVP",
    "Training",
    "TrainingStep",
    "Trajectory",
    "denoised",
    "energy_distance",
    "log_likelihood",
    "sample",
    "score_and_divergence",
    "score_error",
    "sliced_wasserstein",
    "trace",
    "train",
]

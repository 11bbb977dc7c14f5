"""Samplers: ways to step the reverse process from noise to data."""

from .base import Sampler
from .chain import DDPM, Chain
from .denoising import DDIM, DPMSolverPP2M
from .ode import RK45, Heun
from .stochastic import EulerMaruyama, PredictorCorrector, ReverseDiffusion

SAMPLERS: tuple[type[Sampler], ...] = (
    EulerMaruyama,
    ReverseDiffusion,
    PredictorCorrector,
    Heun,
    RK45,
    DDIM,
    DPMSolverPP2M,
    DDPM,
)

__all__ = [
    "DDIM",
    "DDPM",
    "RK45",
    "SAMPLERS",
    "Chain",
    "DPMSolverPP2M",
    "EulerMaruyama",
    "Heun",
    "PredictorCorrector",
    "ReverseDiffusion",
    "Sampler",
]

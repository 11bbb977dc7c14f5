"""The SDE lab: noise tears data down along a forward SDE, and the score puts it back."""

from core.sde import SAMPLERS as CORE_SAMPLERS
from core.sde import trace
from labs.controls import Number
from labs.lab import Action, Lab, Paper
from labs.sde.compute import light, run
from labs.sde.picture import dragged, scene
from labs.sde.settings import EXTENT, Settings
from labs.text import Text

LAB = Lab(
    slug="sde",
    tab=Text("SDE", "SDE"),
    title=Text("Forward and reverse", "前向与逆向"),
    idea=Text(
        "Noise tears data down along dx = f dt + g dw; the score puts it back.",
        "噪声沿 dx = f dt + g dw 拆散数据；得分把它还原。",
    ),
    papers=(
        Paper(
            "Song et al.",
            2021,
            "Score-Based Generative Modeling through Stochastic Differential Equations",
            "https://arxiv.org/abs/2011.13456",
        ),
        Paper(
            "Ho, Jain, Abbeel",
            2020,
            "Denoising Diffusion Probabilistic Models",
            "https://arxiv.org/abs/2006.11239",
        ),
        Paper(
            "Song, Meng, Ermon",
            2021,
            "Denoising Diffusion Implicit Models",
            "https://arxiv.org/abs/2010.02502",
        ),
        Paper(
            "Lu et al.",
            2022,
            "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models",
            "https://arxiv.org/abs/2211.01095",
        ),
        Paper(
            "Anderson",
            1982,
            "Reverse-time diffusion equation models",
            "https://doi.org/10.1016/0304-4149(82)90051-5",
        ),
    ),
    settings=Settings,
    run=run,
    scene=scene,
    light=light,
    actions={
        "particle": Action(
            dragged,
            {
                name: Number(
                    label=Text(name, name), key=name, minimum=-EXTENT, maximum=EXTENT, step=0.001
                )
                for name in ("x", "y")
            },
            "The way of one particle that starts at (x, y), in stage units, at t = 1.",
        )
    },
    code=(trace, *(sampler().shown for sampler in CORE_SAMPLERS)),
)

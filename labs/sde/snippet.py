"""The source that the Code fold shows, and the snippet that reproduces the samples on `core`."""

import inspect
from typing import Any

from core.sde import Sampler, trace
from labs.scene import CodeView
from labs.sde.settings import Settings, curve_values, sampler_of


def shown_code(sampler: Sampler) -> list[Any]:
    """Returns the functions that drew the picture: the sampler's step, and the loop around it."""
    return [sampler.shown, trace]


def code_of(settings: Settings, frames: int) -> CodeView:
    """Returns what the Code fold shows; lit is the line that hands over the new positions."""
    shown = shown_code(sampler_of(settings))
    lines, first = inspect.getsourcelines(shown[0])
    update = max(i for i, line in enumerate(lines) if line.split()[:1] in (["return"], ["yield"]))
    names = [f"{item.__module__}.{item.__qualname__}" for item in shown]
    return CodeView(names, [first + update] * frames)


def snippet(settings: Settings) -> str:
    """Returns a runnable program whose trajectory is the one of the reverse stage."""
    sampler = sampler_of(settings)
    names = {"BrownianPath", "sample", type(sampler).__name__}
    density, source = _density(settings)
    process, used = _process(settings)
    names |= used
    score = "ExactScore(density, sde)"
    training: list[str] = []
    if settings.score == "learned":
        names |= {"Training", "train"}
        score = "network"
        training = [
            f"generator = torch.Generator().manual_seed({settings.seed})",
            f"steps = train(density, sde, Training(steps={settings.training}), generator)",
            "*_, last = steps",
            "network = last.network",
        ]
    else:
        names.add("ExactScore")
    lines = [
        "import torch",
        "",
        source,
        f"from core.sde import {', '.join(sorted(names))}",
        "",
        f"density = {density}",
        f"sde = {process}",
        *training,
        f"generator = torch.Generator().manual_seed({settings.seed})",
        f"x_1 = sde.prior({settings.particles}, generator=generator, dtype=torch.float32)",
        f"path = BrownianPath(({settings.particles}, 2), {settings.seed})",
        f"trajectory = sample(sde, {score}, x_1, {sampler!r}, {settings.steps}, path)",
        "print(trajectory.positions[-1], trajectory.evaluations)",
    ]
    return "\n".join(lines) + "\n"


def _density(settings: Settings) -> tuple[str, str]:
    """Returns the expression that makes the data, and the imports it needs."""
    if settings.data == "word":
        return f"word({settings.word!r})", "from core.densities import word"
    if settings.data == "paint":
        imports = "from core.densities import from_ink\nfrom labs.ink import decode_ink"
        return f"from_ink(decode_ink({settings.ink!r}))", imports
    return f"{settings.data}()", f"from core.densities import {settings.data}"


def _process(settings: Settings) -> tuple[str, set[str]]:
    """Returns the expression that makes the process, and the names it needs."""
    if settings.process == "ve":
        return "VE()", {"VE"}
    process = "VP" if settings.process == "vp" else "SubVP"
    if settings.schedule == "drawn":
        values = tuple(round(value, 6) for value in curve_values(settings.curve))
        return f"{process}(Drawn({values}))", {process, "Drawn"}
    schedule = settings.schedule.capitalize()
    return f"{process}({schedule}())", {process, schedule}

"""One training loop for every model here: resumable, averaged, on one device or many.

Three choices make a resumed run equal an uninterrupted one bit for bit:

* the randomness of step k comes from a generator seeded by (seed, k, rank), so no generator has to
  be saved;
* the learning rate depends on k alone: a warm-up, a plateau, and a tail only when asked for;
* weights, optimiser, averages and k are saved together, and the file is replaced in one move.

The plateau has no end, so training can always go on. When usable weights are due, a *tail* of a few
steps brings the rate to zero in a separate state file; the plateau's state stays as it was, ready
for the next run (the warm-up, stable, decay schedule).

The published weights are an exponential moving average: `ema += (1 - d) (weights - ema)`, with
`d = min(decay, (1 + k) / (10 + k))` so that early weights are soon forgotten.

References:
    MiniCPM (Hu et al., 2024), section 4: warm-up, stable, decay.
    Denoising Diffusion Probabilistic Models (Ho et al., 2020), appendix B: EMA of weights.
"""

import hashlib
import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from core.diffusion.cache import replacing


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: The step at which training stops.
        tail: How many of the last steps lower the rate to zero (0: plateau to the end).
        warmup: How many of the first steps raise it from zero.
        rate: Learning rate on the plateau.
        weight_decay: AdamW's decoupled weight decay.
        decay: The average's decay per step.
        seed: Seed of all randomness.
    """

    steps: int
    tail: int = 0
    warmup: int = 100
    rate: float = 1.2e-3
    weight_decay: float = 1e-2
    decay: float = 0.999
    seed: int = 0


@dataclass(frozen=True)
class Record:
    """One optimiser step: its number (from 1), the loss, the rate and the seconds it took."""

    step: int
    loss: float
    rate: float
    seconds: float


class Objective(nn.Module, ABC):
    """What is trained: a module whose forward pass is the loss of one step.

    Attributes:
        device: Where the trained modules are.
        autocast: The dtype of matrix products, or None for float32 throughout.
    """

    def __init__(self, device: torch.device, autocast: torch.dtype | None) -> None:
        super().__init__()
        self.device = device
        self.autocast = autocast

    @abstractmethod
    def batch(self, step: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draws the training examples of one step."""

    def precision(self) -> torch.autocast:
        """Returns the context in which the trained modules run."""
        dtype = self.autocast or torch.bfloat16
        return torch.autocast(self.device.type, dtype, enabled=self.autocast is not None)


def learning_rate(step: int, schedule: Schedule, begun: int = 0) -> float:
    """Returns the rate of a step: warm-up, plateau, cosine tail.

    Args:
        step: Counted from 0.
        schedule: Its shape.
        begun: The step at which the optimiser was last new, where the warm-up starts.
    """
    rate = schedule.rate * min(1.0, (step - begun + 1) / max(1, schedule.warmup))
    left = schedule.steps - step
    if left >= schedule.tail:
        return rate
    return rate * 0.5 * (1 - math.cos(math.pi * left / schedule.tail))


def step_generator(seed: int, step: int, rank: int = 0) -> torch.Generator:
    """Returns the source of randomness of one step on one device, on the CPU.

    Hashing keeps neighbouring steps unrelated; small seeds alone do not.
    """
    digest = hashlib.sha256(f"{seed}/{step}/{rank}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def fast_precision(device: torch.device) -> torch.dtype | None:
    """Returns bfloat16 where the processor multiplies it natively, else None.

    Without those instructions bfloat16 is emulated and slower than float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else None
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return torch.bfloat16 if "avx512_bf16" in flags or "amx_bf16" in flags else None


class Trainer:
    """Runs an objective step by step and keeps the average of its weights.

    Attributes:
        step: Steps done.
        begun: The step at which the optimiser was last new.
        seconds: Spent in steps, over all runs: of the processor on a CPU, by the clock elsewhere.
    """

    def __init__(self, objective: Objective, schedule: Schedule) -> None:
        self.objective = objective
        self.schedule = schedule
        self.step = 0
        self.begun = 0
        self.seconds = 0.0
        self.parameters = [p for p in objective.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            schedule.rate,
            betas=(0.9, 0.99),
            weight_decay=schedule.weight_decay,
            fused=True,
        )
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.loss: nn.Module = objective
        if dist.is_initialized():
            devices = [objective.device] if objective.device.type == "cuda" else None
            self.loss = nn.parallel.DistributedDataParallel(objective, device_ids=devices)
        self._clock = time.perf_counter if objective.device.type == "cuda" else time.process_time
        # Only now: DDP has just given every process the first one's weights.
        self.average = [p.detach().clone() for p in self.parameters]

    def run(self) -> Iterator[Record]:
        """Yields a record after each step until the schedule's last one."""
        while self.step < self.schedule.steps:
            began, worked = time.perf_counter(), self._clock()
            rate = learning_rate(self.step, self.schedule, self.begun)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            generator = step_generator(self.schedule.seed, self.step, self.rank)
            loss = self.loss(*self.objective.batch(self.step, generator))
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            self.step += 1
            self._update_average()
            record = Record(self.step, loss.item(), rate, time.perf_counter() - began)
            self.seconds += self._clock() - worked
            yield record

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.schedule.decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)

    @torch.no_grad()
    def swap_average(self) -> None:
        """Exchanges weights and averages: call before using the averages, and again after."""
        for parameter, average in zip(self.parameters, self.average, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(kept)

    def state(self) -> dict[str, Any]:
        """Returns everything that the next step depends on."""
        return {
            "step": self.step,
            "begun": self.begun,
            "seconds": self.seconds,
            "seed": self.schedule.seed,
            "weights": [p.detach() for p in self.parameters],
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }

    @torch.no_grad()
    def begin_at(self, step: int, seconds: float) -> None:
        """Counts on from published weights, which the objective holds, with a new optimiser."""
        self.step = self.begun = step
        self.seconds = seconds
        for average, parameter in zip(self.average, self.parameters, strict=True):
            average.copy_(parameter)

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        """Continues from a state."""
        self.step, self.begun, self.seconds = state["step"], state["begun"], state["seconds"]
        for mine, saved in (
            (self.parameters, state["weights"]),
            (self.average, state["average"]),
        ):
            for target, source in zip(mine, saved, strict=True):
                target.copy_(source)
        self.optimizer.load_state_dict(state["optimizer"])


def save_state(trainer: Trainer, path: Path) -> None:
    """Writes the trainer's state; a run stopped meanwhile leaves the previous file whole."""
    with replacing(path) as partial:
        torch.save(trainer.state(), partial)


def load_state(trainer: Trainer, path: Path) -> None:
    """Restores what `save_state` wrote, onto the trainer's device."""
    state = torch.load(path, map_location=trainer.objective.device, weights_only=True)
    trainer.load(state)


def start_processes() -> torch.device:
    """Joins the group that `torchrun` describes, if any, and returns this process's device."""
    cuda = torch.cuda.is_available()
    if "RANK" in os.environ:
        dist.init_process_group("nccl" if cuda else "gloo")
    if not cuda:
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    torch.cuda.set_device(device)
    return device

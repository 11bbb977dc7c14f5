"""Runs of training at a terminal: progress, checkpoints, previews and a clean stop.

A run continues from its state file if there is one. `SIGINT` and `SIGTERM` end it after the step in
hand, with its state saved.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

import torch

from core.diffusion.training import Objective, Record, Schedule, Trainer, load_state, save_state

# A goal as far as this means none.
ENDLESS = 10_000_000
CHECKPOINT_SECONDS = 180.0
REPORT_SECONDS = 30.0


@dataclass
class Progress:
    """A line of progress now and then: mean loss since the last line, speed, time left."""

    goal: int
    printed: float = field(default_factory=time.monotonic)
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def line(self, record: Record) -> str | None:
        """Takes in a record; returns a line if one is due."""
        self.losses.append(record.loss)
        self.seconds += record.seconds
        if time.monotonic() - self.printed < REPORT_SECONDS and record.step < self.goal:
            return None
        mean, each = sum(self.losses) / len(self.losses), self.seconds / len(self.losses)
        left, goal = "until stopped", ""
        if self.goal < ENDLESS:
            hours, minutes = divmod(round(each * (self.goal - record.step) / 60), 60)
            left, goal = f"{hours} h {minutes:02} min left", f"/{self.goal}"
        self.printed, self.losses, self.seconds = time.monotonic(), [], 0.0
        return (
            f"{time.strftime('%H:%M:%S')} step {record.step}{goal} loss {mean:.4f} "
            f"rate {record.rate:.1e} {1e3 * each:.0f} ms/step "
            f"{left}"
        )


@dataclass(frozen=True)
class Run:
    """What to train and where its files go.

    Attributes:
        name: Stem of the state files.
        objective: The loss.
        schedule: With `tail` > 0, `steps` is replaced by the plateau's last step plus the tail.
        folder: Where states go.
        preview: Called with the step now and then, while the averages are in the modules.
        preview_seconds: How often.
        done: Steps and seconds behind the weights that the objective starts from.
    """

    name: str
    objective: Objective
    schedule: Schedule
    folder: Path
    preview: Callable[[int], None]
    preview_seconds: float = 600.0
    done: tuple[int, float] = (0, 0.0)


def open_trainer(run: Run) -> tuple[Trainer, Path]:
    """Returns a trainer at the newest state of the run, and the file to save it to.

    The tail branches off the plateau's state into a file of its own.
    """
    trunk = run.folder / f"{run.name}.pt"
    trainer = Trainer(run.objective, run.schedule)
    if trunk.exists():
        load_state(trainer, trunk)
    elif run.done[0]:
        trainer.begin_at(*run.done)
    if not run.schedule.tail:
        return trainer, trunk
    goal = trainer.step + run.schedule.tail
    trainer.schedule = replace(run.schedule, steps=goal)
    branch = run.folder / f"{run.name}-tail-{goal}.pt"
    if branch.exists():
        load_state(trainer, branch)
    return trainer, branch


def run_training(run: Run) -> Trainer:
    """Trains until the schedule ends or a signal comes.

    Returns:
        The trainer, with the averages in the modules.
    """
    trainer, path = open_trainer(run)
    stopped = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal stopped
        stopped = True

    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    progress = Progress(trainer.schedule.steps)
    saved = shown = time.monotonic()
    main = trainer.rank == 0
    for record in trainer.run():
        line = progress.line(record)
        if main and line:
            print(line, flush=True)
        if main and time.monotonic() - saved > CHECKPOINT_SECONDS:
            save_state(trainer, path)
            saved = time.monotonic()
        if main and time.monotonic() - shown > run.preview_seconds:
            _show(trainer, run)
            shown = time.monotonic()
        if _anywhere(stopped, run.objective.device):
            break
    for number, handler in handlers.items():
        signal.signal(number, handler)
    if main:
        save_state(trainer, path)
        _show(trainer, run)
    trainer.swap_average()
    return trainer


def _show(trainer: Trainer, run: Run) -> None:
    trainer.swap_average()
    run.preview(trainer.step)
    trainer.swap_average()


def _anywhere(stopped: bool, device: torch.device) -> bool:
    """Whether any process was told to stop: all must leave the loop at the same step."""
    if not torch.distributed.is_initialized():
        return stopped
    flag = torch.tensor(float(stopped), device=device)
    torch.distributed.all_reduce(flag)
    return bool(flag > 0)

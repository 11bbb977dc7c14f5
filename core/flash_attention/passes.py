"""The algorithms by name, and how one is started, run to its end, and read.

`run` drains a pass for its answer; `core.flash_attention.trace` drains the very same pass and keeps
a record of every phase. `source` is the text of the function that ran, with the lines of each
phase.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from . import fa1, fa2, naive
from .memory import Algorithm, Chip, Hbm, Meter
from .tiles import Tiles

Order = Literal["fa2", "fa1", "naive"]
Stage = Literal["forward", "backward"]

ALGORITHMS: Mapping[tuple[str, str], Algorithm] = {
    ("fa2", "forward"): fa2.forward,
    ("fa2", "backward"): fa2.backward,
    ("fa1", "forward"): fa1.forward,
    ("fa1", "backward"): fa1.backward,
    ("naive", "forward"): naive.forward,
    ("naive", "backward"): naive.backward,
}


@dataclass(frozen=True)
class Source:
    """The text of a pass and where each of its phases stands.

    Attributes:
        text: Source of the function, without its indentation.
        lines: For each phase, in the order of the text, the first and last line (from 1) of the
            statements that do it.
    """

    text: str
    lines: Mapping[str, tuple[int, int]]


def source(order: Order, stage: Stage = "forward") -> Source:
    """Source of the function that runs, by phase.

    Args:
        order: "fa2", "fa1" or "naive".
        stage: "forward" or "backward".

    Raises:
        ValueError: If there is no such pass.
    """
    text = textwrap.dedent(inspect.getsource(algorithm(order, stage)))
    suites = [
        (node.lineno, node.body)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.For | ast.If)
    ]
    found = [found for line, suite in suites for found in _phases(line, suite)]
    return Source(text, {phase: lines for phase, lines in sorted(found, key=lambda each: each[1])})


def _phases(header: int, suite: list[ast.stmt]) -> Iterator[tuple[str, tuple[int, int]]]:
    """The phases that end in a suite, each with its lines: what stands before its `yield`."""
    work: list[ast.stmt] = []
    for statement in suite:
        match statement:
            case ast.Expr(ast.Yield(ast.Tuple([ast.Constant(str(phase)), *_]))):
                first = work[0].lineno if work else header
                yield phase, (first, work[-1].end_lineno or first if work else header)
                work = []
            case ast.For() | ast.If():
                work = []
            case _:
                work.append(statement)


def algorithm(order: str, stage: str = "forward") -> Algorithm:
    """The pass of that name, or a sentence."""
    if (order, stage) not in ALGORITHMS:
        raise ValueError(
            'order must be one of "fa2", "fa1", "naive" and stage "forward" or "backward", '
            f'got "{order}" and "{stage}".'
        )
    return ALGORITHMS[order, stage]


def run(order: Order, stage: Stage, tiles: Tiles, **matrices: Tensor) -> Hbm:
    """Runs one pass to its end.

    Args:
        order: "fa2", "fa1" or "naive".
        stage: "forward" or "backward".
        tiles: How the problem is cut.
        **matrices: What is in HBM before, each of shape (heads, length, width): Q, K and V; for the
            backward pass also dO, O and what the forward pass kept for it.

    Returns:
        HBM after the pass.
    """
    meter = Meter()
    hbm, chip = Hbm(meter, **matrices), Chip(meter, matrices["Q"].dtype)
    deque(algorithm(order, stage)(hbm, chip, tiles), maxlen=0)
    return hbm

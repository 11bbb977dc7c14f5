"""Two memories and what crosses between them: the machine on which the algorithms run.

A GPU keeps matrices in large, slow HBM and computes on blocks in small, fast on-chip memory. Here
HBM is a set of `Array`s, which can only be read and written by slices and count every byte that
moves; the chip is a namespace that holds whatever was assigned to it until it is evicted. An
algorithm written against them (`core.flash_attention.fa2`, say) reads like its paper, computes the
true answer at full speed, and can be watched by whoever drains it, without knowing that it is
watched.

"On chip" stands for the M of the paper's analysis: shared memory and registers together.

References:
    FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness (Dao et al., 2022),
    section 2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import torch
from torch import Tensor

from .tiles import Tiles

HALVES = (torch.float16, torch.bfloat16)

Event = tuple[str, int | None, int | None]
"""What an algorithm yields: the phase just finished, the query block and the key block, if any."""


@dataclass(frozen=True)
class Move:
    """One slice that crossed between HBM and the chip.

    Attributes:
        array: Name of the matrix in HBM ("Q", "dK", ...).
        start: First row of the slice.
        stop: Row after the last.
        bytes: Its size in bytes.
        write: True from the chip to HBM, False from HBM to the chip.
    """

    array: str
    start: int
    stop: int
    bytes: int
    write: bool


@dataclass
class Meter:
    """Counts what an algorithm does: bytes read and written, FLOPs, and the last moves.

    Attributes:
        read: Bytes moved from HBM to the chip.
        written: Bytes moved from the chip to HBM.
        flops: Floating-point operations of the matrix products (a product of an n×k and a k×m
            matrix is 2nkm).
        moves: The moves since they were last collected; None where nobody collects them.
    """

    read: int = 0
    written: int = 0
    flops: int = 0
    moves: list[Move] | None = field(default=None)

    def count(self, array: Array, rows: slice, write: bool) -> None:
        """Adds one slice of `array` to the bytes of its direction."""
        start, stop, _ = rows.indices(array.data.shape[-2])
        heads, _, width = array.data.shape
        size = heads * (stop - start) * width * array.data.element_size()
        if write:
            self.written += size
        else:
            self.read += size
        if self.moves is not None:
            self.moves.append(Move(array.name, start, stop, size, write))


class Array:
    """A matrix in HBM. `array[rows]` reads rows, `array[rows] = values` writes them; both count.

    Args:
        name: Its name in the paper.
        data: The values, shape (heads, length, width).
        meter: Where its traffic is counted.
    """

    def __init__(self, name: str, data: Tensor, meter: Meter) -> None:
        self.name, self.data, self._meter = name, data, meter

    def __getitem__(self, rows: slice) -> Tensor:
        self._meter.count(self, rows, write=False)
        return self.data[:, rows]

    def __setitem__(self, rows: slice, values: Tensor | float) -> None:
        self._meter.count(self, rows, write=True)
        self.data[:, rows] = values  # rounds to the array's dtype, as a store does

    def like(self, name: str, width: int | None = None, dtype: torch.dtype | None = None) -> Array:
        """A new matrix of the same length, its values not set; by default also as wide."""
        heads, length, own = self.data.shape
        shape = (heads, length, own if width is None else width)
        return Array(name, self.data.new_empty(shape, dtype=dtype), self._meter)


class Hbm(SimpleNamespace):
    """The slow memory: its attributes are `Array`s."""

    def __init__(self, meter: Meter, **matrices: Tensor) -> None:
        super().__init__(**{name: Array(name, data, meter) for name, data in matrices.items()})


class Chip(SimpleNamespace):
    """The fast memory and its matrix unit: every tensor among its attributes is held on chip.

    Args:
        meter: Where FLOPs are counted.
        dtype: Precision of the operands of a product; what the inputs have.

    Attributes:
        wide: Precision of sums and of everything that is not an operand: float32 for half
            precision, as on tensor cores, otherwise `dtype` itself.
    """

    def __init__(self, meter: Meter, dtype: torch.dtype) -> None:
        super().__init__()
        self.meter, self.dtype = meter, dtype
        self.wide = torch.float32 if dtype in HALVES else dtype

    def matmul(self, a: Tensor, b: Tensor, scale: float = 1.0) -> Tensor:
        """`scale`·ab, operands rounded to `dtype`, products summed in `wide`."""
        a, b = a.to(self.dtype).to(self.wide), b.to(self.dtype).to(self.wide)
        self.meter.flops += 2 * a.numel() * b.shape[-1]
        return torch.baddbmm(a.new_zeros(()), a, b, beta=0, alpha=scale)

    def evict(self, *names: str) -> None:
        """Frees the memory of the named tensors, where they are held."""
        for name in names:
            vars(self).pop(name, None)

    def held(self) -> dict[str, Tensor]:
        """What is on the chip now, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}


Algorithm = Callable[[Hbm, Chip, Tiles], Iterator[Event]]
"""One pass of one algorithm: works on the two memories and yields after every phase."""

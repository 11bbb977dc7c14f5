"""Peak resident memory of one attention call, in a process of its own.

`python -m core.flash_attention.peak '[problem, impl, stage]'` prints bytes; `timing.peak_bytes`
calls it. A fresh process, since an allocator that has memory left from before would hide what a
call needs.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from pathlib import Path

import torch

from .timing import task
from .traffic import Problem

STATUS = Path("/proc/self/status")


def main(argument: str) -> None:
    """Measures the call that `argument` describes and prints its peak in bytes."""
    fields, impl, stage = json.loads(argument)
    problem = Problem(**fields | {"dtype": getattr(torch, fields["dtype"])})
    small = Problem(64, 64, problem.head_dim, dtype=problem.dtype)
    task(small, impl, stage=stage)()  # loads libraries and starts threads
    call = task(problem, impl, stage=stage)
    with suppress(OSError):  # where refused, the peak of the imports counts as well
        Path("/proc/self/clear_refs").write_text("5")
    before = _kilobytes("VmRSS")
    kept = call()
    print((_kilobytes("VmHWM") - before) * 1024)
    del kept


def _kilobytes(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    main(sys.argv[1])

"""Runs every benchmark, or those named: `python -m tests.benchmarks [sde] [page] ...`."""

import importlib
import sys

BENCHMARKS = ("sde", "page", "flash_attention")

for name in sys.argv[1:] or BENCHMARKS:
    print(f"\n## {name}\n")
    importlib.import_module(f"tests.benchmarks.{name}").main()

"""Benchmarks: figures side by side, medians and ratios, never a verdict."""

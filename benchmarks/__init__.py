"""Measurements: each a ratio taken in one run, on one machine, over the same messages (benchmarks/README.md)."""

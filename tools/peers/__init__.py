"""Comparison of `dss` with alternative tools in quality and speed, for `docs/benchmarks.md`."""

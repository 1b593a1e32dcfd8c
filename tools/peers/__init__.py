"""Quality and speed of `dss` beside tools that a user would pick instead: what `docs/benchmarks.md` shows."""

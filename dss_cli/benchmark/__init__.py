"""How fast a model runs here, what it costs, and who did the work.

A row is a delegate, its threads and a model (`rows`). One run of it separates a synthetic recording
from file to file in a process of its own (`worker`, `measurement`); the runs of all rows take turns
(`session`). Medians, spreads and ratios (`statistics`) make one object for JSON (`results`), which
becomes tables (`tables`), CSV (`sheet`) and, by `tools/benchmark_document.py`, a document.
"""

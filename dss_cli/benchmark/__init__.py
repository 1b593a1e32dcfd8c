"""Benchmark of models on this machine: speed, cost, and the delegate that does the work.

A row is a combination of model, delegate and number of threads (`rows`). One run of a row separates a
synthetic recording from file to files in a separate process (`worker`, `measurement`). The runs of all rows
are interleaved (`session`). Medians, spreads and ratios (`statistics`) form one object for JSON (`results`),
which is converted to tables (`tables`), CSV (`sheet`) and a document (`tools/benchmark_document.py`).
"""

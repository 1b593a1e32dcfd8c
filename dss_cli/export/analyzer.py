"""TensorFlow's own word on a graph for a GPU, beside our rules."""

from __future__ import annotations

import contextlib
import io

from ..tflite.gpu_rules import graph_violations
from ..tflite.graph import read_graph


def violations(data: bytes) -> list[str]:
    """What in a TFLite file breaks the rules: a line each, with the operator's or tensor's name.

    TensorFlow's own analyzer is asked too (`analyzer_violations`).
    """
    return [*map(str, graph_violations(read_graph(data))), *analyzer_violations(data)]


def analyzer_violations(data: bytes) -> list[str]:
    """What TensorFlow's analyzer holds against the graph on a GPU.

    In version 2.21 it lets everything pass, UNIQUE and WHERE too: our own rules carry the weight.
    """
    import tensorflow as tf

    report = io.StringIO()
    with contextlib.redirect_stdout(report):
        tf.lite.experimental.Analyzer.analyze(model_content=data, gpu_compatibility=True)
    text = report.getvalue()
    if "looks compatible with GPU delegate" in text:
        return []
    warnings = [line.strip() for line in text.splitlines() if "GPU COMPATIBILITY WARNING" in line]
    return [f"TensorFlow's analyzer: {line}" for line in warnings] or [
        "TensorFlow's analyzer does not call the graph compatible with the GPU"
    ]

"""GPU checks of a TFLite file by our rules and by TensorFlow's analyzer."""

from __future__ import annotations

import contextlib
import io

from ..tflite.gpu_rules import graph_violations
from ..tflite.graph import read_graph


def violations(data: bytes) -> list[str]:
    """Return the violations of the GPU rules in a TFLite file, one line each, with the operator or tensor.

    The findings of TensorFlow's analyzer (`analyzer_violations`) are included.
    """
    return [*map(str, graph_violations(read_graph(data))), *analyzer_violations(data)]


def analyzer_violations(data: bytes) -> list[str]:
    """Return the warnings of TensorFlow's analyzer about a graph on a GPU.

    The analyzer of version 2.21 accepts every graph, even with UNIQUE and WHERE, so our own rules decide.
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

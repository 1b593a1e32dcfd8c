"""Pack several TFLite graphs into one file, in which they share equal weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


def pack(models: Sequence[schema.ModelT]) -> bytes:
    """Return one file with the graphs and signatures of several models with one graph each.

    The first model may have further graphs, such as bodies of loops. Buffers of equal content are stored
    once, so that graphs with the same weights share them.
    """
    first, *others = models
    kept = {bytes(buffer.data): i for i, buffer in enumerate(first.buffers) if _has_data(buffer)}
    for model in others:
        (graph,), (signature,) = model.subgraphs, model.signatureDefs
        codes = [_code_index(first, code) for code in model.operatorCodes]
        for operator in graph.operators:
            operator.opcodeIndex = codes[operator.opcodeIndex]
        for tensor in graph.tensors:
            buffer = model.buffers[tensor.buffer]
            # By convention the first buffer is empty.
            tensor.buffer = _buffer_index(first, buffer, kept) if _has_data(buffer) else 0
        signature.subgraphIndex = len(first.subgraphs)
        first.subgraphs.append(graph)
        first.signatureDefs.append(signature)
    builder = _AlignedBuilder(sum(len(bytes(b.data)) for b in first.buffers if _has_data(b)) + 2**16)
    builder.Finish(first.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _has_data(buffer: Any) -> bool:
    return buffer.data is not None and len(buffer.data) > 0


def _buffer_index(model: schema.ModelT, buffer: Any, kept: dict[bytes, int]) -> int:
    content = bytes(buffer.data)
    if content not in kept:
        kept[content] = len(model.buffers)
        model.buffers.append(buffer)
    return kept[content]


def _code_index(model: schema.ModelT, code: Any) -> int:
    def key(code: Any) -> tuple[Any, ...]:
        return code.builtinCode, code.deprecatedBuiltinCode, code.customCode, code.version

    for i, known in enumerate(model.operatorCodes):
        if key(known) == key(code):
            return i
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


class _AlignedBuilder(flatbuffers.Builder):
    """Builder that aligns weights to 16 bytes, as the schema requires; its Python code does not."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)

"""Build the smallest model that separates, two 1x1 convolutions, for trials of a delegate.

`python -m tools.probe_model` writes it to dss_cli/runtime/probe.tflite; `dss_cli.runtime.probe_model` says
what it computes.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from dss_cli.constants import SignalConfig
from dss_cli.runtime.probe_model import FAR_GAIN, FILE, NEAR_GAIN, SIGNAL
from dss_cli.utils.atomic_write import write_files


def tensor(name: str, shape: tuple[int, ...], buffer: int = 0) -> Any:
    """A float32 tensor of the schema; `buffer` numbers its values, 0: it has none."""
    made = schema.TensorT()
    made.name, made.shape, made.buffer = name.encode(), list(shape), buffer
    made.type = schema.TensorType.FLOAT32
    return made


def constant(values: npt.NDArray[Any]) -> Any:
    """A buffer of the schema with values as float32."""
    made = schema.BufferT()
    made.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
    return made


def convolution(inputs: list[int], outputs: list[int]) -> Any:
    """An operator of the schema by the numbers of its tensors: values, weights, bias."""
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = 0, inputs, outputs
    made.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    made.builtinOptions = schema.Conv2DOptionsT()
    made.builtinOptions.strideH = made.builtinOptions.strideW = 1
    return made


def named(name: str, index: int) -> Any:
    """A tensor, by its number, under a signature's name."""
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name.encode(), index
    return made


def graph(signal: SignalConfig = SIGNAL) -> Any:
    """The model as the schema's object tree."""
    select = np.zeros((2, 1, 1, 3))
    select[0, 0, 0, 1] = select[1, 0, 0, 2] = 1
    main = schema.SubGraphT()
    stem = (1, signal.frames, signal.bins, 2)
    main.name = b"separate"
    main.tensors = [
        tensor("mixture", (1, signal.frames, signal.bins, 3)),
        tensor("near_weights", (2, 1, 1, 3), 1),
        tensor("far_weights", (2, 1, 1, 3), 2),
        tensor("bias", (2,), 3),
        tensor("near", stem),
        tensor("far", stem),
    ]
    main.inputs, main.outputs = [0], [4, 5]
    main.operators = [convolution([0, 1, 3], [4]), convolution([0, 2, 3], [5])]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version = 1
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"separate", 0
    signature.inputs = [named("mixture", 0)]
    signature.outputs = [named("near", 4), named("far", 5)]
    model = schema.ModelT()
    model.version, model.description = 3, b"tiny"
    model.operatorCodes, model.subgraphs, model.signatureDefs = [code], [main], [signature]
    model.buffers = [
        schema.BufferT(),
        constant(NEAR_GAIN * select),
        constant(FAR_GAIN * select),
        constant(np.zeros(2)),
    ]
    return model


def pack(model: Any) -> bytes:
    """The content of a TFLite file, from the schema's object tree."""
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


if __name__ == "__main__":
    write_files({FILE: pack(graph())})

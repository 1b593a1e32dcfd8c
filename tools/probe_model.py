"""Build the probe model for trials of a delegate: two 1x1 convolutions.

`python -m tools.probe_model` writes it to dss_cli/runtime/probe.tflite; `dss_cli.runtime.probe_model`
describes its outputs.
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
    """Return a float32 tensor of the schema; `buffer` is the index of its values, 0 for none."""
    made = schema.TensorT()
    made.name, made.shape, made.buffer = name.encode(), list(shape), buffer
    made.type = schema.TensorType.FLOAT32
    return made


def constant(values: npt.NDArray[Any]) -> Any:
    """Return a buffer of the schema with float32 values."""
    made = schema.BufferT()
    made.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
    return made


def convolution(inputs: list[int], outputs: list[int]) -> Any:
    """Return a convolution of the schema by the indices of its tensors: values, weights, bias."""
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = 0, inputs, outputs
    made.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    made.builtinOptions = schema.Conv2DOptionsT()
    made.builtinOptions.strideH = made.builtinOptions.strideW = 1
    return made


def named(name: str, index: int) -> Any:
    """Return the entry of a signature for a tensor."""
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name.encode(), index
    return made


def graph(signal: SignalConfig = SIGNAL) -> Any:
    """Return the model as an object tree of the schema."""
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
    """Return the content of a TFLite file from an object tree of the schema."""
    builder = flatbuffers.Builder(4096)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


if __name__ == "__main__":
    write_files({FILE: pack(graph())})

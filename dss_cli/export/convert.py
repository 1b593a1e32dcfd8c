"""Keras to TFLite: a fixed signature, and the same bytes for the same weights."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from ..constants import STEMS
from ..errors import DssError, UsageError
from ..runtime.litert import INPUT, SIGNATURE
from ..utils.captured_output import captured_stderr

if TYPE_CHECKING:
    import keras

# How they are stored. The arithmetic is float32, but for the products with int8 weights on a CPU, which
# quantises the other factor as it runs ("dynamic range"). A GPU computes in float32 there too.
WEIGHTS = ("float16", "float32", "int8")


def convert(network: keras.Model, weights: str = "float16") -> bytes:
    """The TFLite file of a Keras network, with the signature `separate(mixture) -> near, far`.

    Args:
        network: functional; input `mixture`, outputs {"near", "far"}, the batch size fixed to 1.
        weights: `float16` (half the size), `float32`, or `int8` (with scales; tensors of less than
            1024 numbers stay float32).

    Returns:
        The file's content, the same for the same weights and TensorFlow version.

    Raises:
        UsageError: weights of another kind.
        DssError: TensorFlow cannot convert the network, or its tensors are called otherwise.
    """
    import tensorflow as tf

    if weights not in WEIGHTS:
        raise UsageError(f"weights {weights!r}: choose one of {', '.join(WEIGHTS)}")
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    with captured_stderr(), contextlib.redirect_stdout(io.StringIO()):
        try:
            data = converter.convert()
        except Exception as error:  # whatever TensorFlow raises: its classes are not public
            reason = (str(error).splitlines() or ["no reason was given"])[0]
            raise DssError(f"TensorFlow cannot convert {network.name}: {reason}") from error
    return _with_signature(data)


def _with_signature(data: bytes) -> bytes:
    """Give the only signature its key, and the tensors at its ends its names."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    (signature,) = model.signatureDefs
    main = model.subgraphs[signature.subgraphIndex]
    inputs = {tensor.name.decode(): tensor for tensor in signature.inputs}
    outputs = {tensor.name.decode(): tensor for tensor in signature.outputs}
    if set(inputs) != {INPUT} or set(outputs) != set(STEMS):
        raise DssError(
            f"the network is ({', '.join(inputs)}) -> {', '.join(outputs)}, "
            f"not ({INPUT}) -> {', '.join(STEMS)}"
        )
    signature.signatureKey = SIGNATURE.encode()
    signature.outputs = [outputs[name] for name in STEMS]
    main.outputs = [outputs[name].tensorIndex for name in STEMS]
    main.name = SIGNATURE.encode()
    for name, tensor in (inputs | outputs).items():
        main.tensors[tensor.tensorIndex].name = name.encode()
    builder = _AlignedBuilder(len(data) + 1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _AlignedBuilder(flatbuffers.Builder):
    """Keeps the weights on 16-byte boundaries, as the schema asks and its Python code forgets."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:
        return super().StartVector(elemSize, numElems, 16 if elemSize == 1 else alignment)

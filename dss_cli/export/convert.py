"""Convert Keras networks to TFLite with fixed signatures; equal weights give equal bytes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ai_edge_litert import schema_py_generated as schema

from ..constants import STEMS
from ..errors import DssError, UsageError
from ..runtime.session import INPUT, LISTEN, SEPARATE, separate_signature
from ..utils.captured_output import captured_stderr
from .packing import pack

if TYPE_CHECKING:
    import keras

    from ..network import CarriedNetworks

# Storage of the weights. The arithmetic is float32, except for products with int8 weights on a CPU, which
# quantises the other factor at run time ("dynamic range"). A GPU computes these products in float32, too.
WEIGHTS = ("float16", "float32", "int8")


def convert(network: keras.Model | CarriedNetworks, weights: str = "float16") -> bytes:
    """Convert a Keras network to a TFLite file.

    A network with context gets signatures that share their weights: `separate(mixture, state...) -> near,
    far, state...`, `listen(mixture, state...) -> state...`, and `separate_F` for each shorter chunk of F
    frames. Other networks get only `separate(mixture) -> near, far`.

    Args:
        network: functional model with batch size 1; inputs `mixture` and states, outputs "near", "far" and
            states of the same names.
        weights: `float16` (half the size), `float32`, or `int8` (with scales; tensors of fewer than 1024
            numbers stay float32).

    Returns:
        Content of the file; it depends only on the weights and the TensorFlow version.

    Raises:
        UsageError: the storage type of the weights is unknown.
        DssError: TensorFlow cannot convert the network, or its tensors have other names.
    """
    if weights not in WEIGHTS:
        raise UsageError(f"weights {weights!r}: choose one of {', '.join(WEIGHTS)}")
    from ..network import CarriedNetworks

    if not isinstance(network, CarriedNetworks):
        return pack([_named(_converted(network, weights), SEPARATE, STEMS)])
    return pack(
        [
            _named(_converted(network.separate, weights), SEPARATE, STEMS),
            _named(_converted(network.listen, weights), LISTEN, ()),
            *(
                _named(
                    _converted(network.shorter(frames), weights),
                    separate_signature(frames, network.config.signal),
                    STEMS,
                )
                for frames in network.lengths
            ),
        ]
    )


def _converted(network: keras.Model, weights: str) -> bytes:
    import keras
    import tensorflow as tf

    if isinstance(network.input, dict):  # TensorFlow passes the inputs as a list
        network = keras.Model(list(network.input.values()), network.output, name=network.name)
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    with captured_stderr(), contextlib.redirect_stdout(io.StringIO()):
        try:
            return bytes(converter.convert())
        except Exception as error:  # TensorFlow's error classes are not public
            reason = (str(error).splitlines() or ["no reason was given"])[0]
            raise DssError(f"TensorFlow cannot convert {network.name}: {reason}") from error


def _named(data: bytes, key: str, stems: Sequence[str]) -> schema.ModelT:
    """Set the key of the only signature, and name the tensors at its ends.

    Raises:
        DssError: the inputs are not the mixture and states, or the outputs not the stems and these states.
    """
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    (signature,) = model.signatureDefs
    main = model.subgraphs[signature.subgraphIndex]
    inputs = {tensor.name.decode(): tensor for tensor in signature.inputs}
    outputs = {tensor.name.decode(): tensor for tensor in signature.outputs}
    states = sorted(set(inputs) - {INPUT})
    if INPUT not in inputs or set(outputs) != {*stems, *states}:
        raise DssError(
            f"the network is ({', '.join(inputs)}) -> {', '.join(outputs)}, not ({INPUT}, states) -> "
            f"{', '.join([*stems, 'states'])}"
        )
    signature.signatureKey = main.name = key.encode()
    signature.inputs = [inputs[name] for name in (INPUT, *states)]
    signature.outputs = [outputs[name] for name in (*stems, *states)]
    main.inputs = [tensor.tensorIndex for tensor in signature.inputs]
    main.outputs = [tensor.tensorIndex for tensor in signature.outputs]
    for name, tensor in inputs.items():
        main.tensors[tensor.tensorIndex].name = name.encode()
    for name, tensor in outputs.items():  # names of tensors in a graph are unique
        main.tensors[tensor.tensorIndex].name = (name if name in stems else f"{name}_after").encode()
    return model

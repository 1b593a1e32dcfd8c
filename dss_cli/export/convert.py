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
        return pack([_graph(network, weights, SEPARATE, STEMS)])
    signal = network.config.signal
    shorter = ((network.shorter(frames), separate_signature(frames, signal)) for frames in network.lengths)
    return pack(
        [
            _graph(network.separate, weights, SEPARATE, STEMS),
            _graph(network.listen, weights, LISTEN, ()),
            *(_graph(short, weights, key, STEMS) for short, key in shorter),
        ]
    )


def _graph(network: keras.Model, weights: str, key: str, stems: Sequence[str]) -> schema.ModelT:
    """Return a model with a main graph and its signature `key`, with tensors named as the network's ends.

    Raises:
        DssError: the inputs are not the mixture and states, or the outputs not the stems and these states.
    """
    inputs, outputs = [tensor.name for tensor in network.inputs], sorted(network.output)
    states = sorted(set(inputs) - {INPUT})
    if INPUT not in inputs or set(outputs) != {*stems, *states}:
        raise DssError(
            f"the network is ({', '.join(inputs)}) -> {', '.join(outputs)}, not ({INPUT}, states) -> "
            f"{', '.join([*stems, 'states'])}"
        )
    model = schema.ModelT.InitFromPackedBuf(_converted(network, weights), 0)
    main = model.subgraphs[0]  # the others are bodies of loops, in recurrent networks
    ends = dict(zip(inputs, main.inputs, strict=True)), dict(zip(outputs, main.outputs, strict=True))
    signature = schema.SignatureDefT()
    signature.signatureKey = main.name = key.encode()
    signature.inputs = [_end(name, ends[0][name]) for name in (INPUT, *states)]
    signature.outputs = [_end(name, ends[1][name]) for name in (*stems, *states)]
    model.signatureDefs = [signature]
    main.inputs = [end.tensorIndex for end in signature.inputs]
    main.outputs = [end.tensorIndex for end in signature.outputs]
    for name, index in ends[0].items():
        main.tensors[index].name = name.encode()
    for name, index in ends[1].items():  # names of tensors in a graph are unique
        main.tensors[index].name = (name if name in stems else f"{name}_after").encode()
    return model


def _end(name: str, index: int) -> schema.TensorMapT:
    end = schema.TensorMapT()
    end.name, end.tensorIndex = name.encode(), index
    return end


def _converted(network: keras.Model, weights: str) -> bytes:
    """Return the file of TensorFlow's converter, without a signature; outputs are sorted by name.

    The network is traced once, with its weights as constants. `TFLiteConverter.from_keras_model` gives the
    same operators, but saves, loads and traces a SavedModel, which takes most of its time.
    """
    import tensorflow as tf

    def call(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        named = dict(zip((tensor.name for tensor in network.inputs), tensors, strict=True))
        return network(named if isinstance(network.input, dict) else tensors[0], training=False)

    specs = [tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name) for tensor in network.inputs]
    with captured_stderr(), contextlib.redirect_stdout(io.StringIO()):
        try:
            traced = tf.function(call, input_signature=specs, autograph=False).get_concrete_function()
            converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], network)
            converter.experimental_lower_to_saved_model = False
            if weights != "float32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if weights == "float16":
                converter.target_spec.supported_types = [tf.float16]
            return bytes(converter.convert())
        except Exception as error:  # TensorFlow's error classes are not public
            reason = (str(error).splitlines() or ["no reason was given"])[0]
            raise DssError(f"TensorFlow cannot convert {network.name}: {reason}") from error

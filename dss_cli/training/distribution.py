"""One batch on several devices, by Keras' own distribution: each has the weights and a share of the batch."""

from __future__ import annotations

import keras

from ..errors import DssError


def data_parallel(devices: int, batch: int) -> keras.distribution.DataParallel:
    """Data parallelism over the first `devices` devices; enter its `scope()` to build and to train.

    Raises:
        DssError: the backend is not JAX, fewer devices than that, or a batch that they cannot share evenly.
    """
    backend = keras.backend.backend()
    if backend != "jax":  # TensorFlow's side of the API is a stub that distributes nothing, torch has none
        raise DssError(
            f"{devices} devices: Keras {keras.__version__} shares batches under JAX, not under {backend}; "
            "set KERAS_BACKEND=jax"
        )
    found = keras.distribution.list_devices()
    if not 1 <= devices <= len(found):
        raise DssError(f"{devices} devices: {len(found)} found ({', '.join(found)})")
    if batch % devices:
        raise DssError(f"a batch of {batch} scenes cannot be shared evenly by {devices} devices")
    return keras.distribution.DataParallel(devices=found[:devices])

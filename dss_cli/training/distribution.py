"""Data-parallel training with Keras's distribution: each device has all weights and a part of the batch."""

from __future__ import annotations

import keras

from ..errors import DssError


def data_parallel(devices: int, batch: int) -> keras.distribution.DataParallel:
    """Return data parallelism over the first `devices` devices; build and train within its `scope()`.

    Raises:
        DssError: the backend is not JAX, there are fewer devices, or the batch cannot be divided evenly.
    """
    backend = keras.backend.backend()
    if backend != "jax":  # a stub with TensorFlow, not available with torch
        raise DssError(
            f"{devices} devices: Keras {keras.__version__} distributes batches with JAX, not with {backend}; "
            "set KERAS_BACKEND=jax"
        )
    found = keras.distribution.list_devices()
    if not 1 <= devices <= len(found):
        raise DssError(f"{devices} devices: {len(found)} found ({', '.join(found)})")
    if batch % devices:
        raise DssError(f"a batch of {batch} scenes cannot be divided evenly between {devices} devices")
    return keras.distribution.DataParallel(devices=found[:devices])

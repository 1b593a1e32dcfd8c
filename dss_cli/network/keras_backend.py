"""Load Keras and its backend without their banners, as the entry to the training modules."""

from __future__ import annotations

import os

from ..errors import DssError
from ..utils.captured_output import captured_stderr


def load_keras(backend: str | None = None) -> None:
    """Import Keras silently.

    Args:
        backend: `tensorflow`, `jax` or `torch`; None: as KERAS_BACKEND says, or Keras's own default.

    Raises:
        DssError: Keras or the backend is not installed.
    """
    if backend:
        os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with captured_stderr():
            import keras  # noqa: F401
    except ImportError as error:
        raise DssError(f"this needs Keras and TensorFlow: pip install 'dss-cli[train]' ({error})") from None

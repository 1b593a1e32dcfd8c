"""The Keras network: one definition, trained under any backend of Keras, exported under TensorFlow."""

from .build import build
from .config import CONFIGURATIONS, NetworkConfig, configuration

__all__ = ["CONFIGURATIONS", "NetworkConfig", "build", "configuration"]

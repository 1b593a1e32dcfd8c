"""The Keras networks: one definition each, trained under any backend of Keras, exported under TensorFlow."""

from .build import build
from .config import CONFIGURATIONS, NetworkConfig, RecurrentConfig, TwoStageConfig, configuration, exportable

__all__ = [
    "CONFIGURATIONS",
    "NetworkConfig",
    "RecurrentConfig",
    "TwoStageConfig",
    "build",
    "configuration",
    "exportable",
]

"""The Keras networks: one definition each, trained under any backend of Keras, exported under TensorFlow."""

from .build import build, build_carried, build_for_scenes
from .config import CONFIGURATIONS, NetworkConfig, RecurrentConfig, TwoStageConfig, configuration, exportable

__all__ = [
    "CONFIGURATIONS",
    "NetworkConfig",
    "RecurrentConfig",
    "TwoStageConfig",
    "build",
    "build_carried",
    "build_for_scenes",
    "configuration",
    "exportable",
]

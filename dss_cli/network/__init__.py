"""The Keras networks: one definition each, trained under any backend of Keras, exported under TensorFlow."""

from .build import CarriedNetworks, build, build_for_inference, build_for_scenes, has_context
from .config import (
    CONFIGURATIONS,
    NetworkConfig,
    RecurrentConfig,
    TwoStageConfig,
    configuration,
    configuration_name,
    exportable,
)

__all__ = [
    "CONFIGURATIONS",
    "CarriedNetworks",
    "NetworkConfig",
    "RecurrentConfig",
    "TwoStageConfig",
    "build",
    "build_for_inference",
    "build_for_scenes",
    "configuration",
    "configuration_name",
    "exportable",
    "has_context",
]

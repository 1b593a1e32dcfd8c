"""Keras networks: one definition each, for training with any Keras backend and export with TensorFlow."""

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

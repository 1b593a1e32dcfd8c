"""Optimiser: Muon for the 1x1 convolutions, which are the network's matrices, AdamW for other weights."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("dss")
class ConvolutionMuon(keras.optimizers.Muon):
    """Keras's Muon (Liu et al. 2025, arXiv 2502.16982), which treats a (1, 1, a, b) kernel as a matrix."""

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4 or tuple(variable.shape[:2]) != (1, 1)

    def lr_adjust(self, x: Any) -> Any:
        """Scale an orthogonal update to the size of AdamW's updates, so that one learning rate suits both."""
        return x * (max(x.shape[-2:]) ** 0.5 * self.rms_rate)

"""Schedule of the learning rate: warm-up, an extendable plateau, and a cosine decay."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("dss")
class WarmHoldCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up over `warmup` steps, `peak` up to step `hold`, cosine to `floor * peak` at step `total`.

    A run of undecided length stays on the plateau; resumed with another `hold` and `total`, it decays from
    there.
    """

    def __init__(self, peak: float, warmup: int, hold: int, total: int, floor: float = 0.02):
        self.peak, self.warmup, self.hold, self.total = peak, warmup, hold, total
        self.floor = floor

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        rise = ops.minimum(step / max(self.warmup, 1), 1.0)
        gone = ops.clip((step - self.hold) / max(self.total - self.hold, 1), 0.0, 1.0)
        fall = self.floor + (1 - self.floor) * 0.5 * (1 + ops.cos(np.pi * gone))
        return self.peak * rise * fall

    def get_config(self) -> dict[str, Any]:
        return dict(vars(self))

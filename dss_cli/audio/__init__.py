"""Block-wise audio input and output: readers, writers, resampling. Independent of models.

Functions that may have to inform the user take `warn`, a callable that receives one line of text.
Errors are `DssError` and `UsageError`.
"""

from .reading import AudioReader
from .resampling import Resampler
from .writing import StemGroup, WriteReport

__all__ = ["AudioReader", "Resampler", "StemGroup", "WriteReport"]

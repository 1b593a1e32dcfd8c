"""Audio in and out, blockwise: readers, writers, resampling. Knows nothing of models.

Every function that can meet something a user should hear about takes `warn`, a callable that is
given one line of text; errors are `DssError` and `UsageError`.
"""

from .reading import AudioReader
from .resampling import Resampler
from .writing import StemGroup, WriteReport

__all__ = ["AudioReader", "Resampler", "StemGroup", "WriteReport"]

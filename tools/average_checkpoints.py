"""Average several trained weights of one configuration; the mean is often better (Wortsman et al. 2022).

`python -m tools.average_checkpoints lite OUT.weights.h5 A.weights.h5 B.weights.h5 ...` is for weights of one
run, or of runs with the same initial weights; the mean of other weights is not useful.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dss_cli.network.keras_backend import load_keras
from dss_cli.utils.atomic_write import write_files


def mean_weights(configuration: str, out: Path, weights: Sequence[Path]) -> None:
    """Write the mean of `.weights.h5` files to `out`.

    Raises:
        UsageError: the configuration is unknown.
        DssError: a file does not belong to the configuration, or the mean cannot be written.
    """
    load_keras()
    from dss_cli.network import build
    from dss_cli.network.weights import load_weights, weights_file

    network = build(configuration)
    loaded = []
    for path in weights:
        load_weights(network, path, configuration)
        loaded.append([np.array(value) for value in network.get_weights()])
    network.set_weights([np.mean(values, axis=0) for values in zip(*loaded, strict=True)])
    write_files({out: weights_file(network)})


if __name__ == "__main__":
    mean_weights(sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])

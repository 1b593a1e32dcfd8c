"""From a mixture to its stems: arrays, recordings, batches of them."""

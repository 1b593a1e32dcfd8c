"""Separation of a mixture into stems: for arrays, recordings and batches of recordings."""

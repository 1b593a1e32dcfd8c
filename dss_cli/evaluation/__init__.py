"""Scores of a model, or of any tool's stems, on a test set: per stratum, with intervals."""

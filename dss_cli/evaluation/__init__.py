"""Evaluation of models, weights, or stems of any tool on a test set: scores per stratum, with intervals."""

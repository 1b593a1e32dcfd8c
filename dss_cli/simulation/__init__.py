"""Simulation of scenes with known distances: rooms and outdoor places, talkers, noise; all are seeded."""

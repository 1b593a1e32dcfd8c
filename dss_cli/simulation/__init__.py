"""Scenes with known distances: rooms and outdoors, talkers, noise. Every draw is a function of its seed."""

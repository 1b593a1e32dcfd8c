"""Helpers that are independent of audio and models."""

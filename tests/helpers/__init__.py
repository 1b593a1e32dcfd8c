"""Test signals, small models, fake machines: what several test files share."""

"""Test sets: reproducible scenes on disk, in strata."""

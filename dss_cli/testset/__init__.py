"""Test sets: scenes on disk that anyone can make again, stratum by stratum."""

"""Engines for work in many equal pieces: processes of this machine, or workers of a Dask cluster."""

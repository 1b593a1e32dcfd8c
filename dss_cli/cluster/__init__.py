"""Who does work that has many equal pieces: processes of this machine, or the workers of a Dask cluster."""

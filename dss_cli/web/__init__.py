"""The page on this machine: where its files lie, and a server of them for this machine alone."""

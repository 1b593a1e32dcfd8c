"""Running models: LiteRT, its delegates, and the registry of models."""

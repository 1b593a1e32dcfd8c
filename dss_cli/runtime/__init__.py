"""Running a model: LiteRT, its delegates, and which models there are."""

"""Training: scenes mixed on the fly, losses, the loop, validation."""

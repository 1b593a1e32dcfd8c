"""Training: scenes mixed during training, losses, the training loop, validation."""

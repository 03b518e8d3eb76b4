"""Training: configuration, data, the loop, checkpoints."""

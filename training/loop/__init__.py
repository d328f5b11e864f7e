"""The training loop: command line, steps, checkpoints, optimiser, sharding."""

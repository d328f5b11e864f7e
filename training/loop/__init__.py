"""The training loop: command line, steps, checkpoints, optimizer, sharding."""

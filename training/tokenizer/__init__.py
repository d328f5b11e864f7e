"""The tokenizer's objective: losses, adversary, perceptual distance, codebook care."""

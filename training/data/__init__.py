"""The data of training runs: picture sources, prepared sets, augmentation, tokens."""

"""Picture sets: sources, reading, augmentation, cached tokens."""

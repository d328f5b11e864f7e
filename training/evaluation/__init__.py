"""Measures a trained model: judge, features, Frechet distance, check of classes, samples."""

"""Measures of a trained model: judge, features, Frechet distance, samples."""

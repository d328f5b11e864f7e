"""Trains and measures the models that the engine runs."""

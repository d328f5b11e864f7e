"""Figures of clips."""

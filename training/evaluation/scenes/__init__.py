"""Measures a model of composed scenes: a judge of real scenes, fixed prompts, figures."""

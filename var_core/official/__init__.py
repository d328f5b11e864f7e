"""The published models: key names, conversion, catalogue and download."""

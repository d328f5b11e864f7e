"""The command line, `python -m var_core`: one function a command."""

"""What can be asked of an engine, and what comes of it: requests, runs, files."""

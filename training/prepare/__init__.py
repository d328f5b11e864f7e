"""Commands that make picture sets and helper networks, one file each."""

"""Fine-tuning on a few pictures of a new thing: low-rank changes and a label."""

"""What the user brings: sample table, labels, channels, metadata, submission form; and what a model reads of it."""

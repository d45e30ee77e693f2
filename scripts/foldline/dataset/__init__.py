"""The user's data: sample table, labels, channels, metadata and submission form, and the input spec of a model."""

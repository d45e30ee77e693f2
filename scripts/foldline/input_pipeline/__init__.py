"""Shards to batches of augmented images."""

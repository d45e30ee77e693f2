"""From shards to batches of augmented images."""

"""TFRecord files: our shards, and those that users bring."""

"""TFRecord files: Foldline's shards with their manifests, and ready-made files of users."""

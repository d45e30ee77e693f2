"""Files, storage, tables and worker processes."""

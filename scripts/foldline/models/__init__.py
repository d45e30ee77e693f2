"""Networks: backbones, heads and their weights files."""

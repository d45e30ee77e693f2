"""Scores, thresholds and blends of out-of-fold predictions."""

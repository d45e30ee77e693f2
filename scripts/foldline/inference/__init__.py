"""Predictions of trained networks, and SavedModels."""

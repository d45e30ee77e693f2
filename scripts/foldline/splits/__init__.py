"""Duplicates, cross-validation folds and class weights."""

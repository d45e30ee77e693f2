"""Copies of images among the images of a data set: candidates, and their verification."""

"""The library that the step scripts share, in packages that import one another in one direction."""

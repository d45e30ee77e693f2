"""The check before a run: a few rows through all steps in a temporary folder, an estimate, and a page."""

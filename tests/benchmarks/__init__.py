"""Measurements against rivals in the same run."""

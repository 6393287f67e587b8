"""Formats of the NHS."""

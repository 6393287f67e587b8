"""Formats of schools."""

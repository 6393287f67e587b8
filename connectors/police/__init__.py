"""Formats of police forces."""

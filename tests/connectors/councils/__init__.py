"""Formats of council case systems."""

"""Tests of what only reads the log."""

"""Tests of what runs the stages: chunks, tables, progress."""

"""Tests of the synthetic area."""

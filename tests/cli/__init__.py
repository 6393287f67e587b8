"""Tests of broker/cli."""

"""Tests of the connectors for health."""

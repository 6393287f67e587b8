"""Tests of the connectors for schools."""

"""Tests of `broker/core/agencies`: what agencies are to a child."""

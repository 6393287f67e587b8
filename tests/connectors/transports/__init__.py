"""Tests of the ways in which deliveries are carried."""

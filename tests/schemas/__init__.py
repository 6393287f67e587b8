"""Tests of the message schemas."""

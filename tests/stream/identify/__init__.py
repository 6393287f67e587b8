"""Tests of the stage that says whom an event is about."""

"""Tests of `broker/core/deciding`: deciding one event."""

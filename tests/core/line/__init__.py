"""Tests of `broker/core/line`: a child's line."""

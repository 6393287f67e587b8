"""Tests of `broker/core/model`: the values."""

"""Tests of `broker/core/account`: words and sums."""

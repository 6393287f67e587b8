"""Tests of keys, signatures and sealed bytes."""

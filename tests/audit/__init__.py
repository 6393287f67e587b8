"""Tests of broker/audit."""

"""Tests of `broker/core/intake`: what comes in."""

"""Tests of `broker/core/waiting`: clocks, bells and questions."""

"""Tests of the deciding stage, told as a child's line."""

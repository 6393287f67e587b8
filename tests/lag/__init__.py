"""Lag: Burrow's rules, lag in time, and its words."""

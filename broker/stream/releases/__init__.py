"""Versions of policy and registers: followed, held by digest, and put in force by epoch."""

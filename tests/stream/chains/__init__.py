"""Chains of stages that the explorer drives; a module here that holds CHAIN is found by itself."""

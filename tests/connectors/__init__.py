"""Connectors against their contract, the public samples and junk."""

"""Tests on a real Kafka, which the run starts itself."""

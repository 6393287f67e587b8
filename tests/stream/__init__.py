"""Tests of the stream that need no Kafka."""

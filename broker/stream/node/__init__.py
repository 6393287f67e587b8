"""Kafka on this machine: Apache Kafka or the embedded one, started, probed and stopped."""

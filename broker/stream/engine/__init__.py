"""What runs a stage on Kafka: transport, chunks, state tables and the worker around them."""

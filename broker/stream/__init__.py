"""The only code that knows Kafka and Faust: transport, chunk protocol, stages, topics."""

"""Ways to carry native files and messages."""

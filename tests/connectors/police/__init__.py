"""Police formats."""

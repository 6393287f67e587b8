"""Stream lag and its evaluation as clock risk."""

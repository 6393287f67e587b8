"""What was decided and why: the index, the reconciliation and the explanation."""

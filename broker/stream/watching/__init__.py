"""What operators, auditors and reviewers look at: readers and followers that change nothing."""

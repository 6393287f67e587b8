"""Keys, signatures, pseudonyms and envelopes."""

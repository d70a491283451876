"""Encryption of payloads, results and texts of errors, for queues declared with `encrypt`."""

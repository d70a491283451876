"""Logs, metrics, and jobs and queues described for readers."""

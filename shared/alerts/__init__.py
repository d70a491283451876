"""Alerts: rules over two readings of the queues. What fires is kept in the store, and told once:
to the log, and to a signed webhook. `evaluate` is called by functions/maintain.py."""

"""Alerts: rules over two readings of the queues. What fires is kept in the store. A notice goes
to the log and to a signed webhook when an alert begins and when it ends. `evaluate` is called by
functions/maintain.py."""

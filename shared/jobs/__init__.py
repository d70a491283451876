"""A job as values: what is enqueued, what is claimed, what became of it."""

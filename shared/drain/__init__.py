"""One drain: turns against the store, handlers beside them, an outcome for each job."""

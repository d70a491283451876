"""Child processes that answer messages over a socket pair. They know no jobs."""

"""Dead letters: one stream over several queues, its pages, and verdicts by id."""

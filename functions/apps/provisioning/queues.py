"""The one queue of provisioning, with the numbers of its requirements."""

from __future__ import annotations

from shared import App, KeyLimit, RateLimit, Retention, Retry

DAY = 86_400.0

app = App("provisioning")

# A BullMQ limiter starts `max` jobs at once and then waits for its window: burst = max.
provisioning = app.queue(
    "provisioning",
    concurrency=5,
    limit=RateLimit(10, per=1, burst=10),
    retry=Retry.exponential(attempts=3, first=5.0, jitter=0.0),
    timeout=60,
    # Two grants of one user at once would each read the list before the other has changed it.
    per_key=KeyLimit(concurrency=1),
    completed=Retention(age=DAY, count=1000),
    dead=Retention(age=7 * DAY, count=1_000_000),  # the document names no number
)

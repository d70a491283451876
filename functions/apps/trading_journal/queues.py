"""The journal's queues, with the numbers of its requirements (story 1.7)."""

from __future__ import annotations

from shared import App, RateLimit, Retention, Retry

app = App("trading-journal")

# A BullMQ limiter starts `max` jobs at once and then waits for its window: burst = max.
broker_sync = app.queue(
    "broker-sync",
    concurrency=2,
    limit=RateLimit(10, per=60, burst=10),
    retry=Retry.exponential(attempts=5, first=5.0, jitter=0.0),
    priority="high",
    timeout=120,
    completed=Retention(count=100),
    dead=Retention(count=1000),
)
ai = app.queue(
    "ai",
    concurrency=5,
    limit=RateLimit(20, per=60, burst=20),
    retry=Retry.exponential(attempts=3, first=1.0),
    priority="normal",
    timeout=180,
)
imports = app.queue(
    "import",
    concurrency=3,
    limit=RateLimit(5, per=60, burst=5),
    retry=Retry.exponential(attempts=3, first=2.0),
    priority="normal",
    timeout=120,
)
emails = app.queue(
    "email",
    concurrency=10,
    limit=RateLimit(100, per=60, burst=100),
    retry=Retry.fixed(attempts=3, wait=5.0),
    priority="low",
    timeout=30,
)
default = app.queue(
    "default",
    concurrency=5,
    retry=Retry.exponential(attempts=3, first=1.0),
    priority="low",
    timeout=30,
)

"""The one queue of document generation, with the numbers of its requirements."""

from __future__ import annotations

from shared import App, Retention, Retry

DAY = 86_400.0
EVERY = 1_000_000
"""Jobs kept where the document names an age and no number."""

app = App("documents")

documents = app.queue(
    "documentation-generation",
    concurrency=5,
    retry=Retry.exponential(attempts=3, first=5.0, jitter=0.0),
    timeout=600,
    completed=Retention(age=7 * DAY, count=EVERY),
    dead=Retention(age=14 * DAY, count=EVERY),
)

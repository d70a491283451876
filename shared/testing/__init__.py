"""Tools for the tests of an application: a store per test, a clock that the test moves, a network
that fails on demand, `run_job` from enqueue to a job's end, and `tick` for schedules. Deployed code
imports none of it.

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, import_csv, CsvImport(source="trades.csv"), clock=clock)
        assert view.state == "completed"
"""

from __future__ import annotations

from .clock import FakeClock, VirtualLoop, run_virtually, standing_still
from .runner import run_job
from .schedules import occurrences, tick
from .store import TOKEN, Wrap, embedded_store, known_scripts, store_on
from .transport import FAULTS, Fate, LossyTransport

__all__ = [
    "FAULTS",
    "TOKEN",
    "FakeClock",
    "Fate",
    "LossyTransport",
    "VirtualLoop",
    "Wrap",
    "embedded_store",
    "known_scripts",
    "occurrences",
    "run_job",
    "run_virtually",
    "standing_still",
    "store_on",
    "tick",
]

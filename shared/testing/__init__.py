"""What the tests of an application need: a store of their own, a clock that they move, a network
that fails on demand, and a job run from enqueue to its end. Nothing deployed imports this.

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, import_csv, CsvImport(source="trades.csv"), clock=clock)
        assert view.state == "completed"
"""

from __future__ import annotations

from .clock import FakeClock, VirtualLoop, run_virtually, standing_still
from .runner import run_job
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
    "run_job",
    "run_virtually",
    "standing_still",
    "store_on",
]

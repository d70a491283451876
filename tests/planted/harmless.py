"""Command faults that change nothing that a caller or an operator could notice, with the reason."""

from __future__ import annotations

HARMLESS = {
    ("turn", "HSET", "records:paused"): "only `pause` changes it; a turn writes the default, 0, "
    "where the field is missing, and a missing field reads as 0",
    ("turn", "XADD", "events"): "the stories follow no events; tests/store/test_events.py does",
}
"""(script, command, part) -> why the fault may live"""

"""Command faults that change nothing that a caller or an operator could notice, with the reason."""

from __future__ import annotations

HARMLESS = {
    ("turn", "HSET", "records:paused"): "only `pause` changes it; a turn writes the default, 0, "
    "where the field is missing, and a missing field reads as 0",
}
"""(script, command, part) -> why the fault may live"""

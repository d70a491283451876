"""The state of the alerts as one text, as it is kept in the store."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic_core import from_json, to_json

from .baseline import Baseline
from .notice import Notice
from .reading import Reading
from .state import AlertStatus, State
from .totals import Totals

VERSION = 1


def write_state(state: State) -> str:
    """The text of a state."""
    value = {
        "version": VERSION,
        "at_ms": state.at_ms,
        "readings": {name: asdict(one) for name, one in state.readings.items()},
        "baselines": {name: asdict(one) for name, one in state.baselines.items()},
        "standings": [[*key, asdict(one)] for key, one in state.standings.items()],
        "outbox": [asdict(notice) for notice in state.outbox],
        "totals": state.totals and asdict(state.totals),
    }
    return to_json(value, inf_nan_mode="null").decode()


def version_of(text: str) -> object:
    """The version that wrote a text; None where there is none."""
    value: dict[str, Any] = from_json(text) if text else {}
    return value.get("version")


def read_state(text: str) -> State:
    """The state of a text; an empty one where there is none, or where another version wrote it: its
    alerts fire anew."""
    value: dict[str, Any] = from_json(text) if text else {}
    if value.get("version") != VERSION:
        return State()
    return State(
        at_ms=value["at_ms"],
        readings={name: Reading(**one) for name, one in value["readings"].items()},
        baselines={name: Baseline(**one) for name, one in value["baselines"].items()},
        standings={(rule, queue): AlertStatus(**one) for rule, queue, one in value["standings"]},
        outbox=[Notice(**{**one, "pending": tuple(one["pending"])}) for one in value["outbox"]],
        totals=Totals(**value["totals"]) if value.get("totals") else None,
    )

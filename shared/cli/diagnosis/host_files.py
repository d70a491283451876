"""What `vercel.json` and `serverless.yml` say of the drain: how often it is called, and how long it
may run. Read without a YAML parser: what is written in another way than `tidegate new` writes it is
not known, and not checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from ...declare.cron import average_distance, cron_fault
from ...errors import ConfigurationError

UNITS = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_DRAIN = re.compile(r"^  drain:\n((?:(?: {4}.*| *)\n?)+)", re.MULTILINE)
_TIMEOUT = re.compile(r"^    timeout: *(\d+)\b", re.MULTILINE)
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")


@dataclass(frozen=True, slots=True)
class HostFile:
    """One file. `window`: seconds of a run of the drain; `tick`: seconds between two calls on
    average; None: the file does not say."""

    name: str
    window: float | None
    tick: float | None


def read_host_files(folder: Path) -> list[HostFile]:
    """The files that this folder has. Raises ConfigurationError for one that can't be read."""
    found = []
    for name, read in (("vercel.json", _vercel), ("serverless.yml", _serverless)):
        path = folder / name
        if path.is_file():
            try:
                found.append(read(name, path.read_text(encoding="utf-8")))
            except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
                text = f"{type(error).__name__}: {error}"
                raise ConfigurationError(f"{name} can't be read: {text}") from None
    return found


def _vercel(name: str, text: str) -> HostFile:
    value: dict[str, Any] = from_json(text)
    windows = [entry.get("maxDuration") for entry in value.get("functions", {}).values()]
    ticks = [
        average_distance(cron["schedule"]).total_seconds()
        for cron in value.get("crons", ())
        if cron["path"].partition("?")[0].endswith("/drain") and not cron_fault(cron["schedule"])
    ]
    return HostFile(name, min(filter(None, windows), default=None), min(ticks, default=None))


def _serverless(name: str, text: str) -> HostFile:
    drain = _DRAIN.search(text)
    block = drain.group(1) if drain else ""
    window = _TIMEOUT.search(block)
    ticks = [int(number) * UNITS[unit] for number, unit in _RATE.findall(block)]
    return HostFile(name, float(window.group(1)) if window else None, min(ticks, default=None))

"""The outcome of a check, as `tidegate doctor` and `tidegate keys check` print it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["OK", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check; `advice` unless it is OK."""

    check: str
    verdict: Verdict
    detail: str
    advice: str = ""

"""Recorded events, and what a platform hands over with them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CRON_SECRET = "the-cron-secret-of-these-tests"
OPERATOR = "operator-token-of-these-tests"


def event(name: str) -> dict[str, Any]:
    """`events/<name>.json`."""
    path = Path(__file__).parent / "events" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@dataclass
class Context:
    """Lambda's context: its remaining time runs down."""

    seconds: float = 300.0
    aws_request_id: str = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    began: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        return max(0, round((self.began + self.seconds - time.monotonic()) * 1000))

"""The trading journal: imports price files, records their rows, and sends its mail.

Loading it costs a function's cold start, so it brings pydantic and `shared` and nothing else;
whatever a handler needs beyond them is imported when the first job of its type runs.
"""

from __future__ import annotations

from .handlers import import_csv, record_trade, send_email
from .payloads import CsvImport, EmailMessage, TradeRecord
from .queues import app

__all__ = [
    "CsvImport",
    "EmailMessage",
    "TradeRecord",
    "app",
    "import_csv",
    "record_trade",
    "send_email",
]

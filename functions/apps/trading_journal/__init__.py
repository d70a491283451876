"""The trading journal: it imports price files, records their rows and sends emails.

Loading this package is part of a function's cold start, so it imports pydantic and `shared` only.
A handler imports everything else when the first job of its type runs.
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

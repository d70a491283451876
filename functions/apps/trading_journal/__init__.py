"""The trading journal: it imports price files and a broker's trades, asks a language model for
feedback on them, and sends emails.

Loading this package is part of a function's cold start, so it imports pydantic and `shared` only.
A handler imports everything else when the first job of its type runs.
"""

from __future__ import annotations

from .handlers import (
    analyse_trades,
    embed_trades,
    give_feedback,
    import_csv,
    record_trade,
    send_email,
    sync_trades,
)
from .payloads import (
    AnalysisRequest,
    BrokerSync,
    CoachRequest,
    CsvImport,
    EmailMessage,
    TradeEmbeddings,
    TradeRecord,
)
from .queues import app

__all__ = [
    "AnalysisRequest",
    "BrokerSync",
    "CoachRequest",
    "CsvImport",
    "EmailMessage",
    "TradeEmbeddings",
    "TradeRecord",
    "analyse_trades",
    "app",
    "embed_trades",
    "give_feedback",
    "import_csv",
    "record_trade",
    "send_email",
    "sync_trades",
]

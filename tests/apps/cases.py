"""A job of each kind of work that calls a provider, and the provider that it calls."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from functions.apps.documents import DocumentRequest, generate_docs
from functions.apps.provisioning import AccessGrant, grant_access
from functions.apps.tasks import NewTask, create_task
from functions.apps.trading_journal import AnalysisRequest, BrokerSync, analyse_trades, sync_trades
from functions.apps.trading_journal.trades import trades_in
from functions.apps.weather import Place, Upload, ingest_weather, review_upload
from functions.providers.alpaca import Fill
from shared.declare.queue import JobType

SCRIPT = "PUB;aaaaaaaa"
DAY = dt.date(2026, 3, 2)
FILL = Fill.model_validate(
    {
        "id": "20260302:1",
        "transaction_time": "2026-03-02T15:00:00Z",
        "symbol": "AAPL",
        "side": "buy",
        "qty": "1",
        "price": "190.5",
    }
)


def grant(user: str) -> dict[str, Any]:
    """The payload of an access grant."""
    return {"username": user, "strategies": [SCRIPT], "email": f"{user}@example.com"}


def fill_trades(folder: Path) -> None:
    """The trades that the analysis reads."""
    trades_in(folder, "main").add([FILL])


CASES: list[tuple[JobType[Any], BaseModel, str]] = [
    (grant_access, AccessGrant.model_validate(grant("ada")), "tradingview"),
    (ingest_weather, Place(name="seattle", latitude=47.6, longitude=-122.3), "openweather"),
    (review_upload, Upload(upload="u", text="a warm coat"), "openai"),
    (sync_trades, BrokerSync(), "alpaca"),
    (analyse_trades, AnalysisRequest(first=DAY, last=DAY), "openai"),
    (generate_docs, DocumentRequest(title="Kettle", pages=("file:kettle.md",)), "openai"),
    (create_task, NewTask(user_id=7, title="Buy milk"), "openproject"),
]
EACH = pytest.mark.parametrize(
    ("job_type", "payload", "provider"), CASES, ids=[case[0].name for case in CASES]
)

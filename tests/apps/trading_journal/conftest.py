from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from functions.apps.trading_journal import CsvImport, EmailMessage, TradeRecord
from functions.providers.database import close_databases
from shared.jobs.ids import child_id

HEADER = "Ticker,Date,Open,High,Low,Close,Volume,Adj Close"
FIRST = "AAPL,2000-03-01,118.56,132.06,118.5,130.31,9616100,4.186662803811"
SECOND = "AAPL,2000-03-02,127.0,127.94,120.69,122.0,2779100,3.9196750983419"


def row(line: int, summary: Mapping[str, object], run: str = "imp.import") -> str:
    """The id of the job for this line of an import, whose result is `summary`."""
    return child_id(run, f"row {line} of {summary['checksum']}")


def mail(summary: Mapping[str, object], run: str = "imp.import") -> str:
    """The id of the job for the email about an import."""
    return child_id(run, f"mail of {summary['checksum']}")


@dataclass
class Recorder:
    """An import's output that remembers ids as the store does."""

    records: dict[str, TradeRecord] = field(default_factory=dict)
    rest: dict[str, CsvImport] = field(default_factory=dict)
    emails: dict[str, EmailMessage] = field(default_factory=dict)
    calls: int = 0

    async def record(self, records: Mapping[str, TradeRecord]) -> int:
        self.calls += 1
        new = [job_id for job_id in records if job_id not in self.records]
        self.records = {**records, **self.records}
        return len(new)

    async def resume(self, rest: CsvImport, job_id: str) -> str:
        self.rest[job_id] = rest
        return f"{job_id}.import"

    async def notify(self, email: EmailMessage, job_id: str) -> None:
        self.emails[job_id] = email


@pytest.fixture
def output() -> Recorder:
    return Recorder()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder."""
    path = tmp_path / "data"
    path.mkdir()
    monkeypatch.setenv("JOURNAL_DATA_DIR", str(path))
    yield path
    close_databases()


@pytest.fixture
def public_server(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of every name, so that no test calls a real resolver; requests go to it."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
    return "93.184.215.14"


@pytest.fixture
def header() -> str:
    return HEADER


@pytest.fixture
def lines() -> list[str]:
    """A header and two valid days of one symbol."""
    return [HEADER, FIRST, SECOND]

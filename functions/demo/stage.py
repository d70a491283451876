"""The demo's own deployment: a store, the API before it, folders, and nothing of the user's."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx

from shared.cli.dev_secrets import Secrets
from shared.cli.servers import LocalStore, api, environment, local_store
from shared.errors import TidegateError

APP = "functions.apps.trading_journal"
PACKAGED = "stocks.csv"
BUDGET = 20.0
"""Seconds each tick may take: what a function host would be configured to give."""
PATIENCE = 0.7
"""Seconds a tick waits for a retry or a limit rather than leave it to the next tick."""
STALLED = 30.0
LONGEST_CALL = 60.0
FOREIGN = (
    *("TIDEGATE_", "JOURNAL_", "UPSTASH_", "KV_REST_", "CRON_"),
    *("AWS_", "VERCEL", "RESEND_", "DATABASE_"),
)
"""Variables that might lead to real databases, hosts or mail providers: gone while this runs."""


class DemoFailed(TidegateError):
    """Something the demo claims did not come true."""


@dataclass(slots=True)
class Stage:
    """What the acts work with. Everything they ask of Tidegate goes through its HTTP API."""

    http: httpx.AsyncClient
    local: LocalStore
    cron_secret: str
    folder: Path
    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox"

    @property
    def inbound(self) -> Path:
        """The folder that `file:` sources are read from."""
        return self.folder / "data"

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def tell(self, sentence: str) -> None:
        """A line of the story, with the time."""
        self.say(f"{self.elapsed():5.1f} s  {sentence}")

    async def ask(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """A call of the API. Raises DemoFailed unless it succeeds."""
        response = await self.http.request(method, path, json=body, **options)
        if not response.is_success:
            raise DemoFailed(f"{method} {path} answers {response.status_code}: {response.text}")
        return response.json()

    async def enqueue(
        self, queue: str, job_type: str, payloads: Sequence[Mapping[str, Any]]
    ) -> list[str]:
        """All in one request; their ids."""
        jobs = [{"type": job_type, "payload": payload} for payload in payloads]
        answer = await self.ask("POST", f"/api/v1/queues/{queue}/jobs", {"jobs": jobs})
        refused = [entry["error"] for entry in answer["jobs"] if "error" in entry]
        if refused:
            raise DemoFailed(f"{len(refused)} of {len(jobs)} {job_type} jobs refused: {refused[0]}")
        return [entry["id"] for entry in answer["jobs"]]

    async def job(self, job_id: str) -> dict[str, Any]:
        """One job as the API shows it."""
        shown: dict[str, Any] = await self.ask("GET", f"/api/v1/jobs/{job_id}")
        return shown

    async def until(
        self, holds: Callable[[], Awaitable[bool]], what: str, *, done: Callable[[], int] = int
    ) -> None:
        """Look every quarter of a second until it holds.

        Raises DemoFailed after STALLED seconds in which `done` has not moved.
        """
        moved, before = self.elapsed(), done()
        while not await holds():
            if done() != before:
                moved, before = self.elapsed(), done()
            if self.elapsed() - moved > STALLED:
                raise DemoFailed(f"nothing moved for {STALLED:.0f} s; this was expected: {what}")
            await asyncio.sleep(0.25)

    def recorded(self) -> dict[str, int]:
        """Rows in the journal's own file, by account: looked up behind everybody's back."""
        file = self.inbound / "trading-journal.sqlite3"
        if not file.exists():
            return {}
        query = "SELECT account, count(*) FROM records GROUP BY account"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as journal:
            try:
                return dict(journal.execute(query).fetchall())
            except sqlite3.OperationalError:  # its table is about to be made
                return {}

    def sent(self) -> list[float]:
        """When each letter was put into the outbox, in order."""
        if not self.outbox.is_dir():
            return []
        return sorted(file.stat().st_mtime for file in self.outbox.glob("*.eml"))


@asynccontextmanager
async def staged(say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Everything up, on free ports and in a temporary folder; gone with the block."""
    made = Secrets.fresh()
    with tempfile.TemporaryDirectory(prefix="tidegate-demo-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        store = local_store(data_dir=folder, volatile=True, port=0, token=made.store_token)
        async with store as local:
            with environment(_variables(local, made, folder)):
                async with api(port=0) as url, _client(url, made.api_token) as http:
                    yield Stage(http, local, made.cron_secret, folder, say)


def packaged() -> list[str]:
    """The lines of the journal's packaged price file, the header first."""
    text = files(APP).joinpath("data", PACKAGED).read_text(encoding="utf-8")
    return text.splitlines(keepends=True)


def _client(url: str, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"},
        timeout=LONGEST_CALL,
        trust_env=False,
    )


def _variables(local: LocalStore, made: Secrets, folder: Path) -> dict[str, str | None]:
    foreign = [name for name in os.environ if name.startswith(FOREIGN)]
    return {
        **dict.fromkeys(foreign),
        **local.environment,
        "TIDEGATE_APPS": f"{APP}:app",
        "TIDEGATE_API_TOKENS": f"admin:{made.api_token}",
        "CRON_SECRET": made.cron_secret,
        "TIDEGATE_MAX_DURATION": f"{BUDGET:g}",
        "TIDEGATE_PATIENCE": f"{PATIENCE:g}",
        "TIDEGATE_LOG_LEVEL": "CRITICAL",  # the story tells what a log would
        "JOURNAL_DATA_DIR": str(folder / "data"),
        "JOURNAL_MAIL_FOLDER": str(folder / "outbox"),
    }

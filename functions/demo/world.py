"""The demonstration's deployment: store, API, cron and the providers' stand-ins, in a temporary
folder."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from shared.cli.dev_secrets import DevSecrets
from shared.cli.servers import LocalStore, api, environment, local_store
from shared.encryption.keyring import KEY_BYTES
from shared.errors import TidegateError

from .standins import StandIns, serve_standins

BUDGET = 20.0
"""Seconds of one tick, as a function host would be configured."""
PATIENCE = 0.7
"""Seconds a tick waits for a retry or a limit before it leaves that to the next tick."""
TICK_SECONDS, POLL_SECONDS, STATS_SECONDS = 1.0, 0.25, 1.0
STALLED = 60.0
LONGEST_CALL = 60.0
ENDED = ("dead", "completed", "cancelled")
UNFINISHED = ("waiting", "delayed", "active", "parked")
FOREIGN = (
    *("TIDEGATE_", "UPSTASH_", "KV_REST_", "CRON_", "AWS_", "VERCEL", "DATABASE_"),
    *("JOURNAL_", "DOCUMENTS_", "WEATHER_", "MAIL_", "RESEND_", "OPENAI_", "ALPACA_", "EXPO_"),
    *("OPENWEATHER_", "TRADINGVIEW_", "TASKS_", "TELEGRAM_", "OPENPROJECT_"),
)
"""Prefixes of variables that may lead to real databases, hosts or mail providers: unset here."""


class DemoFailed(TidegateError):
    """A claim of the demonstration does not hold."""


@dataclass(slots=True)
class World:
    """The running deployment. Every request to Tidegate goes through its HTTP API."""

    http: httpx.AsyncClient
    local: LocalStore
    standins: StandIns
    cron_secret: str
    folder: Path
    say: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    reports: list[dict[str, Any]] = field(default_factory=list)
    """The report of every tick."""
    stats: dict[str, Any] = field(default_factory=dict)
    """The API's answer about all queues, asked for every STATS_SECONDS."""
    stats_at: float = 0.0
    """When that was asked for, in seconds since the beginning."""

    @property
    def mail(self) -> Path:
        """The folder of emails that were sent."""
        return self.folder / "mail"

    @property
    def inbound(self) -> Path:
        """The folder of `file:` sources and of the journal."""
        return self.folder / "data"

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def log(self, sentence: str) -> None:
        """Print a sentence with its time."""
        self.say(f"{self.elapsed():5.1f} s  {sentence}")

    async def request(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """The answer of the API. Raises DemoFailed unless it succeeds."""
        response = await self.http.request(method, path, json=body, **options)
        if not response.is_success:
            raise DemoFailed(f"{method} {path} answers {response.status_code}: {response.text}")
        return response.json()

    async def enqueue(
        self, queue: str, job_type: str, payloads: Sequence[Mapping[str, Any]]
    ) -> list[str]:
        """Enqueue all payloads in one request; their job ids."""
        jobs = [{"type": job_type, "payload": payload} for payload in payloads]
        answers = await self.offer(queue, jobs)
        errors = [answer["error"] for answer in answers if "error" in answer]
        if errors:
            raise DemoFailed(f"{len(errors)} of {len(jobs)} {job_type} jobs refused: {errors[0]}")
        return [answer["id"] for answer in answers]

    async def offer(
        self, queue: str, jobs: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]]:
        """Enqueue jobs of which some may be refused; the API's answer to each."""
        answer = await self.request("POST", f"/api/v1/queues/{queue}/jobs", {"jobs": jobs})
        answers: Sequence[Mapping[str, Any]] = answer["jobs"]
        return answers

    async def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = await self.request("GET", f"/api/v1/jobs/{job_id}")
        return job

    async def tick(self) -> dict[str, Any]:
        """Call the cron route once; its report."""
        headers = {"Authorization": f"Bearer {self.cron_secret}"}
        report: dict[str, Any] = await self.request("POST", "/api/cron/drain", headers=headers)
        return report

    async def until(
        self, holds: Callable[[], Awaitable[bool]], what: str, *, progress: Callable[[], int] = int
    ) -> None:
        """Poll until it holds. Raises DemoFailed after STALLED seconds without progress."""
        moved, before = self.elapsed(), progress()
        while not await holds():
            if progress() != before:
                moved, before = self.elapsed(), progress()
            if self.elapsed() - moved > STALLED:
                raise DemoFailed(f"no progress for {STALLED:.0f} s; this was expected: {what}")
            await asyncio.sleep(POLL_SECONDS)

    async def end_of(self, job_id: str) -> dict[str, Any]:
        """The job after it has ended."""
        job: dict[str, Any] = {}

        async def has_ended() -> bool:
            job.update(await self.job(job_id))
            return job["state"] in ENDED

        await self.until(has_ended, f"job {job_id} ends")
        return job

    async def finish(self, *queues: str, called: str = "") -> None:
        """Wait until none of these queues has a job that has not ended. They are asked after the
        last enqueue, and a handler's enqueues come before its own end. `called`: their name in the
        account; by default each is named."""
        names = called or ", ".join(queues)
        began = self.elapsed()

        async def are_empty() -> bool:
            return self.stats_at > began and not any(
                self.stats["queues"][name]["counts"][state]
                for name in queues
                for state in UNFINISHED
            )

        await self.until(are_empty, f"{names} finish", progress=self.finished_jobs)
        self.log(f"{names}: every job has ended")

    def finished_jobs(self) -> int:
        """Jobs that have been run to an outcome, of all queues."""
        totals: Mapping[str, int] = self.stats.get("totals", {})
        return sum(totals.get(name, 0) for name in ("done", "retried", "dead"))

    def email_times(self, queue: str) -> list[float]:
        """The instants at which a queue's emails reached the mail folder, in order."""
        if not self.mail.is_dir():
            return []
        return sorted(file.stat().st_mtime for file in self.mail.glob(f"*.{queue}.eml"))


@asynccontextmanager
async def open_world(say: Callable[[str], None], apps: Sequence[str]) -> AsyncIterator[World]:
    """Store, stand-ins and API on free ports during the block, which serves these applications; the
    folder is deleted afterwards."""
    secrets = DevSecrets.random()
    with tempfile.TemporaryDirectory(prefix="tidegate-demo-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        store = local_store(data_dir=folder, volatile=True, port=0, token=secrets.store_token)
        async with store as local, serve_standins() as standins:
            variables = _variables(local, secrets, folder, apps) | standins.environment
            with environment(variables):
                headers = {"Authorization": f"Bearer {secrets.api_token}"}
                async with (
                    api(port=0) as url,
                    httpx.AsyncClient(
                        base_url=url, headers=headers, timeout=LONGEST_CALL, trust_env=False
                    ) as http,
                ):
                    yield World(http, local, standins, secrets.cron_secret, folder, say)


@asynccontextmanager
async def background(world: World) -> AsyncIterator[None]:
    """Tick and ask for stats during the block; the last tick has ended when the block ends."""
    finished = asyncio.Event()
    cron = asyncio.create_task(_tick_until(world, finished))
    stats = asyncio.create_task(_ask_for_stats(world, finished))
    try:
        yield
        finished.set()
        await asyncio.gather(cron, stats)
    finally:
        cron.cancel()
        stats.cancel()


async def _tick_until(world: World, finished: asyncio.Event) -> None:
    """Tick every TICK_SECONDS, as a platform's scheduler does."""
    while not finished.is_set():
        due = world.elapsed() + TICK_SECONDS
        world.reports.append(await world.tick())
        await asyncio.sleep(max(0.0, due - world.elapsed()))


async def _ask_for_stats(world: World, finished: asyncio.Event) -> None:
    # To its end, not cancelled: the server bills a request whose answer nobody reads.
    while not finished.is_set():
        at = world.elapsed()
        try:
            world.stats = await world.request("GET", "/api/v1/stats")
            world.stats_at = at
        except DemoFailed:  # a busy machine starves the store: the next one tells
            world.log("the store did not answer in time, this machine is busy: asked again")
        await asyncio.sleep(STATS_SECONDS)


def _variables(
    local: LocalStore, secrets: DevSecrets, folder: Path, apps: Sequence[str]
) -> dict[str, str | None]:
    foreign = [name for name in os.environ if name.startswith(FOREIGN)]
    return {
        **dict.fromkeys(foreign),
        **local.environment,
        "TIDEGATE_APPS": ",".join(f"functions.apps.{app}:app" for app in apps),
        "TIDEGATE_API_TOKENS": f"admin:{secrets.api_token}",
        "CRON_SECRET": secrets.cron_secret,
        "TIDEGATE_ENCRYPTION_KEYS": f"demo:{b64encode(os.urandom(KEY_BYTES)).decode()}",
        "TIDEGATE_MAX_DURATION": f"{BUDGET:g}",
        "TIDEGATE_PATIENCE": f"{PATIENCE:g}",
        "TIDEGATE_LOG_LEVEL": "CRITICAL",  # the demonstration prints its own account
        "JOURNAL_DATA_DIR": str(folder / "data"),
        "WEATHER_DATA_DIR": str(folder / "data"),
        "WEATHER_FILES": str(folder),
        "WEATHER_RECEIPTS_AFTER": "1",
        "DOCUMENTS_FILES": str(folder / "documents"),
        "TASKS_DATA_DIR": str(folder / "data"),
        "MAIL_FOLDER": str(folder / "mail"),
    }

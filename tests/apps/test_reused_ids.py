"""An id of a caller that comes again when its job's record is gone is a new job in every
application: its work is done, and it does not hide the work of the job before."""

from __future__ import annotations

import datetime as dt
import email
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from functions.apps import APPS
from functions.apps.documents import DocumentRequest, generate_docs
from functions.apps.provisioning import AccessGrant, grant_access
from functions.apps.tasks import (
    Message,
    NewTask,
    Reminder,
    Update,
    create_task,
    run_command,
    schedule_reminder,
    send_message,
    send_reminder,
)
from functions.apps.trading_journal import CsvImport, EmailMessage, import_csv, send_email
from functions.apps.trading_journal.journal import tables_in
from functions.demo.standins import StandIns
from functions.demo.standins.telegram import TEAM
from shared.declare.app import Registry
from shared.declare.queue import JobType
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.testing import FakeClock
from tests.support.world import World

from .cases import grant
from .conftest import Play

ID = "n8n-17"
WEEK = 8 * 86_400
ADA, BO = TEAM[:2]
HEADER = "Symbol,Date,Open,High,Low,Close,Volume"
pytestmark = pytest.mark.usefixtures("folder")


def created_tasks(standins: StandIns, _folder: Path) -> Counter[str]:
    return Counter(package["subject"] for package in standins.openproject.packages.values())


def sent_messages(standins: StandIns, _folder: Path) -> Counter[str]:
    return Counter({f"{chat} {text}": n for (chat, text), n in standins.telegram.sent.items()})


def sent_emails(_standins: StandIns, folder: Path) -> Counter[str]:
    files = (folder / "mail").glob("*.eml")
    return Counter(email.message_from_bytes(f.read_bytes(), policy=default)["To"] for f in files)


def kept_documents(_standins: StandIns, folder: Path) -> Counter[str]:
    return Counter(file.read_text(encoding="utf-8").split("\n")[0] for file in folder.glob("*.md"))


def recorded_days(_standins: StandIns, folder: Path) -> Counter[str]:
    rows = tables_in(folder).select("SELECT day FROM journal_records", ())
    return Counter(str(row[0]) for row in rows)


@dataclass(frozen=True)
class Case:
    """Two jobs of one type, and what each of them leaves, as `effects` counts it."""

    job_type: JobType[Any]
    first: BaseModel
    later: BaseModel
    effects: Callable[[StandIns, Path], Counter[str]]
    of_first: tuple[str, ...]
    of_later: tuple[str, ...]
    once: bool = False
    """What two equal jobs leave is there once, whatever their ids."""


def command(user: int, text: str) -> Update:
    chat = {"id": user, "type": "private"}
    message = {"message_id": 1, "date": 1767258000, "chat": chat, "from": {"id": user}}
    return Update.model_validate({"update_id": 17, "message": {**message, "text": text}})


def reminder(user: int, text: str) -> Reminder:
    return Reminder(user_id=user, text=text, at=dt.datetime(2026, 1, 2, tzinfo=dt.UTC))


def document(title: str) -> DocumentRequest:
    return DocumentRequest(title=title, pages=("file:kettle.md",), sections=("Use",))


def welcome(name: str) -> EmailMessage:
    return EmailMessage(to=f"{name}@example.com", template="welcome", values={"name": name})


def prices(name: str) -> CsvImport:
    return CsvImport(source=f"file:{name}.csv", notify=f"{name}@example.com")


CASES = [
    Case(
        create_task,
        NewTask(user_id=ADA, title="Fire Bob (secret)"),
        NewTask(user_id=BO, title="Buy milk"),
        created_tasks,
        ("Fire Bob (secret)",),
        ("Buy milk",),
    ),
    Case(
        run_command,
        command(ADA, "/task Fire Bob"),
        command(BO, "/task Buy milk"),
        created_tasks,
        ("Fire Bob",),
        ("Buy milk",),
    ),
    Case(
        send_message,
        Message(chat_id=ADA, text="one"),
        Message(chat_id=BO, text="two"),
        sent_messages,
        (f"{ADA} one",),
        (f"{BO} two",),
    ),
    Case(
        schedule_reminder,
        reminder(ADA, "Call Bo"),
        reminder(BO, "Call Ada"),
        sent_messages,
        (f"{ADA} I will remind you on 2026-01-02 at 00:00: Call Bo", f"{ADA} Reminder: Call Bo"),
        (f"{BO} I will remind you on 2026-01-02 at 00:00: Call Ada", f"{BO} Reminder: Call Ada"),
    ),
    Case(
        send_reminder,
        reminder(ADA, "Call Bo"),
        reminder(BO, "Call Ada"),
        sent_messages,
        (f"{ADA} Reminder: Call Bo",),
        (f"{BO} Reminder: Call Ada",),
    ),
    Case(
        import_csv,
        prices("a"),
        prices("b"),
        recorded_days,
        ("2026-01-05", "2026-01-06"),
        ("2026-01-12", "2026-01-13"),
        once=True,
    ),
    Case(import_csv, prices("a"), prices("b"), sent_emails, ("a@example.com",), ("b@example.com",)),
    Case(
        send_email, welcome("a"), welcome("b"), sent_emails, ("a@example.com",), ("b@example.com",)
    ),
    Case(
        grant_access,
        AccessGrant.model_validate(grant("a")),
        AccessGrant.model_validate(grant("b")),
        sent_emails,
        ("a@example.com",),
        ("b@example.com",),
    ),
    Case(
        generate_docs,
        document("Alpha of customer A"),
        document("Beta of customer B"),
        kept_documents,
        ("# Alpha of customer A",),
        ("# Beta of customer B",),
    ),
]
EACH = pytest.mark.parametrize(
    "case", CASES, ids=[f"{case.job_type.name}-{case.effects.__name__}" for case in CASES]
)


@pytest.fixture
def clock() -> FakeClock:
    """The machine's time: a reminder is at most a year ahead of it."""
    return FakeClock.at(dt.datetime.now(dt.UTC))


@pytest.fixture(autouse=True)
def _files(folder: Path) -> None:
    for name, days in {"a": ("05", "06"), "b": ("12", "13")}.items():
        rows = [f"AAPL,2026-01-{day},1,2,1,2,10" for day in days]
        (folder / f"{name}.csv").write_text("\n".join([HEADER, *rows]), encoding="utf-8")


async def settle(world: World) -> None:
    """Run whatever is due, and what that enqueues."""
    queues = [queue for app in APPS for queue in app.queues.values()]
    for _ in range(4):
        await Drain(world.store, Registry(APPS), Budget.of(60, clock=world.clock)).run(queues)
        await world.clock.sleep(1)


async def run(world: World, job_type: JobType[Any], payload: BaseModel) -> None:
    """The job of that id, from its enqueue to its end."""
    handle = await job_type.enqueue(payload, job_id=ID)
    assert not handle.duplicate
    await settle(world)
    view = await handle.status()
    assert view.state == "completed", view.errors


@EACH
@pytest.mark.parametrize("again", [False, True])
def test_an_id_that_comes_again_is_a_new_job(
    play: Play, standins: StandIns, folder: Path, case: Case, again: bool
) -> None:
    async def story(world: World) -> None:
        await run(world, case.job_type, case.first)
        await world.clock.sleep(WEEK)
        await settle(world)
        await run(world, case.job_type, case.first if again else case.later)

    play(story)

    expected = Counter(case.of_first) + Counter(case.of_first if again else case.of_later)
    assert case.effects(standins, folder) == (Counter({*expected}) if case.once else expected)

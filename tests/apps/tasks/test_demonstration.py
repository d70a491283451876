"""The demonstration's claims about tasks: each holds on good evidence, and is false on bad."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from functions.apps.tasks.tables import Tables
from functions.demo.standins import Faults
from functions.demo.standins.openproject import OpenProject
from functions.demo.standins.telegram import TEAM, Telegram
from functions.demo.workloads.tasks.claims import Account, claims
from functions.providers.openproject import WorkPackage

pytestmark = pytest.mark.parametrize("place", ["file"], indirect=True)
EAGER, OWNER, *_ = TEAM
AT = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
TITLES = {f"errand {n}": EAGER for n in range(12)} | {"Book the hall": OWNER}
FAULTS = Counter({"429": 1, "503": 1, "slow": 1, "lost answer": 1})


@dataclass
class Evidence:
    """A run in which everything went well; a test spoils one part of it."""

    tables: Tables
    project: OpenProject = field(default_factory=lambda: OpenProject(Faults(met=FAULTS.copy())))
    chat: Telegram = field(default_factory=lambda: Telegram(Faults(met=FAULTS.copy())))
    again: int = 6
    account: Account = field(
        default_factory=lambda: Account(
            tasks=dict(TITLES),
            refused_task=OWNER,
            reminders={f"Reminder: {OWNER}: stand-up": AT},
            refusals=2,
            closed={13},
            hidden=11,
            done_by_command=(OWNER, 13),
            stored=b"task.create telegram.send \x00\x01",
        )
    )

    def __post_init__(self) -> None:
        for number, (title, user) in enumerate(TITLES.items(), start=1):
            self.project.packages[number] = {"subject": title}
            self.project.asked.append((title, 6.0 * max(0, number - 10)))
            self.say(user, f"Task created: {title} (#{number})")
        self.say(OWNER, "Task done: Book the hall (#13)")
        self.say(OWNER, "Failed to create task: nothing\nIt is not allowed.")
        self.say(OWNER, f"Reminder: {OWNER}: stand-up")
        self.add(13, OWNER, closed=True)
        self.add(11, EAGER, closed=False)
        self.tables.hide(11)

    def add(self, number: int, user: int, *, closed: bool) -> None:
        parts = {"status": {"isClosed": closed}}
        body = {"id": number, "lockVersion": 1, "subject": "-", "_embedded": parts}
        self.tables.add(f"job {number}", user, WorkPackage.model_validate(body))

    def say(self, chat: int, text: str) -> None:
        self.chat.sent[chat, text] += 1
        self.chat.first_sent[chat, text] = AT.timestamp()

    def false(self) -> list[str]:
        outcomes = [{"retried": self.again - 1}, {"snoozed": 1}]
        found = claims(self.account, self.project, self.chat, self.tables, outcomes)
        return [claim.sentence for claim in found if not claim.holds]


def _twice(run: Evidence) -> None:
    run.project.packages[14] = {"subject": "Book the hall"}
    run.say(OWNER, "Task created: Book the hall (#14)")


def _silent(run: Evidence) -> None:
    del run.chat.sent[EAGER, "Task created: errand 3 (#4)"]


def _repeated(run: Evidence) -> None:
    run.chat.sent[EAGER, "Task created: errand 3 (#4)"] += 2


def _early(run: Evidence) -> None:
    run.chat.first_sent[OWNER, f"Reminder: {OWNER}: stand-up"] -= 1


def _hasty(run: Evidence) -> None:
    run.project.asked = [(title, 0.0) for title, _at in run.project.asked]


def _open(run: Evidence) -> None:
    run.account.closed.add(12)


def _shown(run: Evidence) -> None:
    run.add(9, EAGER, closed=False)
    run.account.hidden = 9


def _readable(run: Evidence) -> None:
    run.account.stored += b'{"title":"errand 3"}'


def _blind(run: Evidence) -> None:
    run.account.stored = b""


SECRET = "nothing that people wrote can be read in the store, nor what the bot says"
HIDDEN = "a task that OpenProject no longer shows stays open here, and is known to be hidden"
SPOILED: list[tuple[Callable[[Evidence], None], str]] = [
    (_twice, "each task is in OpenProject once, although 1 answers were lost"),
    (_silent, "each member is told of each task and reminder"),
    (_repeated, "a message comes again only where Telegram's answer was lost"),
    (lambda run: run.say(13, "Task list"), "a stranger gets no answer"),
    (
        lambda run: setattr(run.account, "refused_task", EAGER),
        "the user of a task that OpenProject refuses is told so",
    ),
    (
        lambda run: setattr(run.account, "refusals", 0),
        "commands beyond ten a minute are refused, and taken when they come back",
    ),
    (_hasty, f"no window has more tasks of member {EAGER} than the limit allows"),
    (_early, "no reminder came before its instant"),
    (_open, "a task is closed here, also where OpenProject told it twice or not at all"),
    (lambda run: run.tables.close(11), HIDDEN),
    (_shown, HIDDEN),
    (
        lambda run: setattr(run, "again", 5),
        "each fault of OpenProject and Telegram was tried again",
    ),
    (_readable, SECRET),
    (_blind, SECRET),
]


def test_all_claims_hold_on_good_evidence(tables: Tables, tmp_path: Path) -> None:
    assert Evidence(tables).false() == []


@pytest.mark.parametrize(("spoil", "sentence"), SPOILED)
def test_bad_evidence_makes_one_claim_false(
    tables: Tables, spoil: Callable[[Evidence], None], sentence: str
) -> None:
    run = Evidence(tables)
    spoil(run)

    false = run.false()

    assert sentence in false
    assert len(false) == 1 or spoil is _twice  # its number changes in what is told

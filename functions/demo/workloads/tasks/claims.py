"""The claims about tasks: what OpenProject, Telegram, the tables and the store hold in the end."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from functions.apps.tasks.tables import Tables

from ...claims import Claim, equal, within_limit
from ...standins.openproject import REFUSED, OpenProject
from ...standins.telegram import TEAM, Telegram

BURST, RATE = 10, 10 / 60
"""The limit of each user: 10 per 60 s."""
LAG = 3.0
"""Seconds that may lie between a job's start, which the limit counts, and its request."""


@dataclass(slots=True)
class Account:
    """What the workload did. `tasks`: subject -> user, of those that OpenProject takes;
    `refused_task`: the user whose task it refuses; `reminders`: text -> instant; `refusals`: by the
    limit of commands; `closed`: tasks; `hidden`: a task; `done_by_command`: user and task;
    `stored`: what the store held."""

    tasks: dict[str, int] = field(default_factory=dict)
    refused_task: int = 0
    reminders: dict[str, dt.datetime] = field(default_factory=dict)
    refusals: int = 0
    closed: set[int] = field(default_factory=set)
    hidden: int = 0
    done_by_command: tuple[int, int] = (0, 0)
    stored: bytes = b""


def claims(
    account: Account,
    project: OpenProject,
    chat: Telegram,
    tables: Tables,
    outcomes: Sequence[Mapping[str, int]],
) -> Iterator[Claim]:
    """`outcomes`: of each queue of the application."""
    yield from _creation_claims(account, project)
    yield from _message_claims(account, project, chat)
    yield from _limit_claims(account, project)
    early = [
        text
        for (_chat, text), at in chat.first_sent.items()
        if text in account.reminders and at < account.reminders[text].timestamp()
    ]
    yield Claim("no reminder came before its instant", not early, f"{len(account.reminders)}")
    closed = {number for number in account.closed if (row := tables.task(number)) and row.closed}
    sentence = "a task is closed here, also where OpenProject told it twice or not at all"
    yield equal(sentence, closed, account.closed)
    gone = tables.task(account.hidden)
    sentence = "a task that OpenProject no longer shows stays open here, and is known to be hidden"
    kept = gone is not None and not gone.closed and not gone.is_visible
    yield Claim(sentence, kept, f"#{account.hidden}")
    met = project.faults.met + chat.faults.met
    again = sum(one.get("retried", 0) + one.get("snoozed", 0) for one in outcomes)
    failing = met.total() - met["slow"]
    sentence = "each fault of OpenProject and Telegram was tried again"
    yield Claim(sentence, again >= failing, f"{again} again, {failing} faults")
    yield from _secrecy_claims(account)


def _creation_claims(account: Account, project: OpenProject) -> Iterator[Claim]:
    subjects = Counter(package["subject"] for package in project.packages.values())
    lost = project.faults.met["lost answer"]
    sentence = f"each task is in OpenProject once, although {lost} answers were lost"
    numbers = f"{subjects.total()} of {len(account.tasks)}"
    yield Claim(sentence, subjects == Counter(list(account.tasks)) and lost > 0, numbers)


def _message_claims(account: Account, project: OpenProject, chat: Telegram) -> Iterator[Claim]:
    numbers = {package["subject"]: number for number, package in project.packages.items()}
    expected = {
        (user, f"Task created: {subject} (#{numbers.get(subject)})")
        for subject, user in account.tasks.items()
    }
    expected |= {(int(text.split()[1][:-1]), text) for text in account.reminders}
    user, done = account.done_by_command
    subjects = {number: subject for subject, number in numbers.items()}
    expected.add((user, f"Task done: {subjects.get(done)} (#{done})"))
    told = expected & set(chat.sent)
    yield equal("each member is told of each task and reminder", len(told), len(expected))
    failed = [key for key in chat.sent if key[1].startswith(f"Failed to create task: {REFUSED}\n")]
    told_of = [user for user, _text in failed]
    sentence = "the user of a task that OpenProject refuses is told so"
    yield equal(sentence, told_of, [account.refused_task])
    again, lost = chat.sent.total() - len(chat.sent), chat.faults.met["lost answer"]
    sentence = "a message comes again only where Telegram's answer was lost"
    yield Claim(sentence, again <= lost, f"{again} again, {lost} answers lost")
    strangers = {chat for chat, _text in chat.sent} - set(TEAM)
    yield Claim("a stranger gets no answer", not strangers, f"{strangers or 'none'}")


def _limit_claims(account: Account, project: OpenProject) -> Iterator[Claim]:
    sentence = "commands beyond ten a minute are refused, and taken when they come back"
    yield Claim(sentence, account.refusals >= 2, f"{account.refusals} refused")
    for user in (TEAM[0], TEAM[-1]):
        times = [at for subject, at in project.asked if account.tasks.get(subject) == user]
        sentence = f"no window has more tasks of member {user} than the limit allows"
        yield within_limit(sentence, times, burst=BURST, rate=RATE, lag=LAG)


def _secrecy_claims(account: Account) -> Iterator[Claim]:
    written = [*account.tasks, *(text.partition(": ")[2] for text in account.reminders)]
    written += ["the caterer's price", "Open the safe", "Task created"]
    seen = [text for text in written if text.encode() in account.stored]
    sentence = "nothing that people wrote can be read in the store, nor what the bot says"
    control = b"task.create" in account.stored and b"telegram.send" in account.stored
    numbers = f"{len(seen)} of {len(written)} texts found in {len(account.stored):,} bytes"
    yield Claim(sentence, control and not seen, numbers)

"""`tidegate doctor --live`: twelve questions that only a real Upstash database can answer.

The answers decide numbers and guards in the engine, and Upstash's documents do not have them. The
questions use plain HTTP, and keys that are deleted again.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

import httpx

TIMEOUT = 60.0
BIG = 11 * 2**20
"""Bytes: more than the largest request of any plan except the enterprise ones."""
FLAG = "#!lua flags=allow-key-locking\n"
COUNTED = 100
"""Repetitions, so that they stand out in the console's counter."""
SCRIPT_MS = (500, 2000)
"""Run times of the long scripts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One question and the database's reply. `expected`: what the engine assumes."""

    number: int
    question: str
    expected: str
    reply: str


class Database:
    """The REST address of one database, and a new key. `script_ms`: run times of long scripts."""

    def __init__(self, client: httpx.AsyncClient, script_ms: Sequence[int] = SCRIPT_MS) -> None:
        self._client = client
        self.script_ms = script_ms
        self.key = f"tidegate-live-{secrets.token_hex(6)}"

    async def send(self, body: Any, path: str = "/") -> tuple[int, str]:
        """Status and text of one request; 0 and the error if it failed."""
        try:
            answer = await self._client.post(path, json=body)
        except httpx.HTTPError as error:
            return 0, f"{type(error).__name__}: {error}"
        return answer.status_code, answer.text[:300]

    async def eval(self, script: str, *arguments: str) -> str:
        """Status and text of a script on the question's key."""
        status, text = await self.send(["EVAL", script, "1", self.key, *arguments])
        return f"{status} {text}"


async def _bill(db: Database) -> str:
    script = f"{FLAG}for _ = 1, 3 do redis.call('INCR', KEYS[1]) end return 1"
    await db.eval(script)
    digest = sha1(script.encode(), usedforsecurity=False).hexdigest()
    for _ in range(COUNTED):
        await db.send(["EVALSHA", digest, "1", db.key])
    return f"sent {COUNTED} EVALSHA with 3 inner calls each: compare the console's counter"


async def _statuses(db: Database) -> str:
    unknown = await db.send(["EVALSHA", "0" * 40, "0"])
    large = await db.send(["SET", db.key, "x" * BIG])
    return (
        f"NOSCRIPT: {unknown[0]} {unknown[1]}; 11 MB: {large[0]} {large[1]}; quota: can't be asked"
    )


async def _time(db: Database) -> str:
    return await db.eval(f"{FLAG}redis.call('SET', KEYS[1], '1') return redis.call('TIME')")


async def _libraries(db: Database) -> str:
    names = ("cjson", "cmsgpack", "struct", "bit")
    types = " .. ' ' .. ".join(f"'{name}=' .. type({name})" for name in names)
    return await db.eval(f"{FLAG}return {types}")


async def _unpack(db: Database) -> str:
    most = "none"
    for count in (500, 1000, 4000, 7999, 16000, 100000):
        script = (
            f"{FLAG}local t = {{}} for i = 1, {count} do t[i] = '1' end "
            "redis.call('DEL', KEYS[1]) return redis.call('RPUSH', KEYS[1], unpack(t))"
        )
        reply = await db.eval(script)
        if not reply.startswith("200"):
            return f"{most} worked; {count}: {reply}"
        most = str(count)
    return f"{most} worked"


async def _wall_time(db: Database) -> str:
    script = (
        f"{FLAG}local function now() local t = redis.call('TIME') return t[1] * 1000 + t[2] / 1000 "
        "end local stop = now() + ARGV[1] while now() < stop do end return 'done'"
    )
    replies = [f"{ms} ms: {await db.eval(script, str(ms))}" for ms in db.script_ms]
    return "; ".join(replies)


async def _failures_billed(db: Database) -> str:
    for _ in range(COUNTED):
        await db.send(["EVALSHA", "0" * 40, "0"])
        await db.send(["INCR"])
    return f"sent {COUNTED} NOSCRIPT and {COUNTED} wrong commands: compare the console's counter"


async def _acl(_db: Database) -> str:
    return "needs a token restricted to a key pattern: make one in the console and ask by hand"


async def _discard(db: Database) -> str:
    status, text = await db.send([["SET", db.key, "1"], ["INCR"]], "/multi-exec")
    return f"{status} {text}"


async def _wait(db: Database) -> str:
    status, text = await db.send(["WAIT", "1", "100"])
    return f"{status} {text}"


async def _wrapped(db: Database) -> str:
    return await db.eval(
        f"{FLAG}redis.call('LPUSH', KEYS[1], '1') return redis.call('GET', KEYS[1])"
    )


async def _empty(db: Database) -> str:
    status, text = await db.send([], "/pipeline")
    return f"{status} {text}"


QUESTIONS: tuple[tuple[str, str, Callable[[Database], Awaitable[str]]], ...] = (
    ("What does one EVALSHA with 3 inner calls add to the monthly counter?", "4", _bill),
    ("Which HTTP status have quota, size and NOSCRIPT errors?", "400, known by text", _statuses),
    ("May a script that writes call TIME?", "yes", _time),
    ("Are cjson, cmsgpack, struct and bit there?", "not relied on", _libraries),
    ("How many values may unpack give a command?", "at least 500", _unpack),
    ("How long may a script run?", "milliseconds are enough", _wall_time),
    ("Are failed commands and NOSCRIPT billed?", "assumed so", _failures_billed),
    ("Do ACL key patterns hold inside Lua?", "not relied on", _acl),
    ("Does a /multi-exec with a wrong command answer 400?", "not relied on", _discard),
    ("Does WAIT work over REST?", "not relied on", _wait),
    ("How is WRONGTYPE from inside a script worded?", "contains WRONGTYPE", _wrapped),
    ("What does an empty /pipeline answer?", "not relied on", _empty),
)


async def ask(
    url: str,
    token: str,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    script_ms: Sequence[int] = SCRIPT_MS,
) -> AsyncIterator[Answer]:
    """Ask every question in turn: some 500 billed commands, and one refused request of 11 MB."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=TIMEOUT, transport=transport
    ) as client:
        for number, (question, expected, survey) in enumerate(QUESTIONS, start=1):
            db = Database(client, script_ms)
            reply = await survey(db)
            await db.send(["DEL", db.key])
            yield Answer(number, question, expected, reply)


def rows_before_survey() -> list[Answer]:
    """The rows of the page before the survey has run."""
    return [
        Answer(number, question, expected, "not yet run")
        for number, (question, expected, _) in enumerate(QUESTIONS, start=1)
    ]


def page(answers: list[Answer], *, when: str) -> str:
    """The text of docs/upstash-live.md."""
    rows = "\n".join(
        f"| {a.number} | {a.question} | {a.expected} | {_cell(a.reply)} |" for a in answers
    )
    return f"""# What a live Upstash database says

The engine was built against Upstash's documents and clients, without an account. These are the
questions they leave open, and what the engine assumes until they are answered. {when}

To ask them, set `UPSTASH_REDIS_REST_URL` and `UPSTASH_REDIS_REST_TOKEN` to a database that may be
used for it (some 500 billed commands and one refused request of 11 MB, on keys that are deleted
again) and run `tidegate doctor --live > docs/upstash-live.md`. For questions 1 and 7 note the
command counter in the console before and after. `TIDEGATE_LIVE=1 make test ARGS=tests/live` takes
jobs through the same database.

| | question | assumption | answer |
|---|---|---|---|
{rows}
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")

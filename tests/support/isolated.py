"""Handlers that run in child processes. What a job does is its payload's `do`.

`python -m tests.support.isolated URL TOKEN` drains them once, as a function of its own.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
from pydantic import BaseModel

from shared import App, Cancel, Discard, Isolation, JobContext, Retry, RetryLater, Snooze
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.isolate.channel import Channel
from shared.store import Store
from shared.store.client.rest import Rest

MEMORY = 128 * 2**20


class Deed(BaseModel):
    """What a job is to do, and one thing that it needs for that."""

    do: str = "work"
    arg: str = ""


class Unfriendly(Exception):
    """It can't be pickled."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")
        self.lock = asyncio.Lock()

    def __reduce__(self) -> str:
        raise TypeError("no")


app = App("isolated")
queue = app.queue("q", timeout=20, retry=Retry.fixed(attempts=3, wait=60))
short = app.queue("short", timeout=0.5, retry=Retry.fixed(attempts=3, wait=60))
plain = app.queue("plain")
secret = app.queue("secret", encrypt=True)


@secret.job("t", isolate=True)
async def handle_secret(payload: Deed) -> dict[str, str]:
    if payload.do == "fail":
        raise ValueError(f"no {payload.arg}")
    return {"said": payload.arg}


@queue.job("ids", isolate=True)
async def handle_ids(payload: Deed, job: JobContext) -> list[str]:
    return [job.unique_id, job.child_id("next")]


@secret.job("ids", isolate=True)
async def handle_secret_ids(payload: Deed, job: JobContext) -> list[str]:
    return [job.unique_id, job.child_id("next")]


@plain.job("t", retry=queue.retry)
async def in_process(payload: Deed, job: JobContext) -> object:
    return await perform(payload, job)


@queue.job("t", isolate=True)
async def handle(payload: Deed, job: JobContext) -> object:
    return await perform(payload, job)


@queue.job("def", isolate=True)
def handle_def(payload: Deed, job: JobContext) -> object:
    return asyncio.run(perform(payload, job))


@queue.job("bounded", isolate=Isolation(memory=MEMORY))
def handle_bounded(payload: Deed) -> int:
    return len(bytearray(int(payload.arg)))


@short.job("t", isolate=True)
async def handle_short(payload: Deed, job: JobContext) -> object:
    return await perform(payload, job)


@short.job("def", isolate=True)
def handle_short_def(payload: Deed, job: JobContext) -> object:
    return asyncio.run(perform(payload, job))


async def perform(payload: Deed, job: JobContext) -> object:
    await DEEDS[payload.do](payload.arg, job)
    return {"pid": os.getpid(), "attempt": job.attempt}


async def work(arg: str, job: JobContext) -> None:
    """Nothing more."""


async def spin(arg: str, job: JobContext) -> None:
    _mark(arg)
    while True:
        pass


async def forge(arg: str, job: JobContext) -> None:
    """Write a message of its own into the connection, and stay."""
    (channel,) = (one for one in gc.get_objects() if isinstance(one, Channel))
    content = arg.encode()
    connection: socket.socket = vars(channel)["_socket"]
    connection.sendall(struct.pack(">I", len(content)) + content)
    await asyncio.Event().wait()


async def hang(arg: str, job: JobContext) -> None:
    _mark(arg)
    await asyncio.Event().wait()


async def swallow(arg: str, job: JobContext) -> None:
    _mark(arg)
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def segfault(arg: str, job: JobContext) -> None:
    ctypes.string_at(0)


async def exit_at_once(arg: str, job: JobContext) -> None:
    os._exit(int(arg))


async def leave(arg: str, job: JobContext) -> None:
    sys.exit(3)


async def close_pipes(arg: str, job: JobContext) -> None:
    os.closerange(3, 64)
    await asyncio.Event().wait()


async def garbage(arg: str, job: JobContext) -> None:
    os.write(1, b"\xff\x00{not json\n" + b"x" * 100_000 + b"\n")
    for number in range(50_000):
        print(f"line {number}")


async def fork(arg: str, job: JobContext) -> None:
    _fork(arg)


def _fork(arg: str) -> None:
    """A grandchild that holds all descriptors of this process, and a program."""
    program = subprocess.Popen(["sleep", "1000"])
    child = os.fork()
    if not child:
        time.sleep(1000)
    Path(arg).write_text(f"{child} {program.pid}", encoding="utf-8")


async def fork_and_die(arg: str, job: JobContext) -> None:
    _fork(arg)
    os._exit(9)


async def meet(arg: str, job: JobContext) -> None:
    """Wait until as many jobs as a drain runs at a time have begun."""
    _mark(f"{arg}/{job.id}")
    while len(list(Path(arg).iterdir())) < 4:  # noqa: ASYNC110, ASYNC240 - other processes have no event
        await asyncio.sleep(0.01)


async def killed(arg: str, job: JobContext) -> None:
    """What the system does when memory is used up; not to the process of this id."""
    if os.getpid() != int(arg):
        os.kill(os.getpid(), signal.SIGKILL)


async def leak(arg: str, job: JobContext) -> None:
    raise ValueError(f"the token is {arg}")


async def progress(arg: str, job: JobContext) -> None:
    job.progress(40, "nearly")
    job.logger.warning("half way", extra={"step": 2})
    logging.getLogger("shop").error("beside")


async def enqueue(arg: str, job: JobContext) -> None:
    handle_ = await in_process.enqueue(Deed(do=arg), job_id=job.child_id("next"))
    assert (await handle_.status()).state == "waiting"


async def raise_one(arg: str, job: JobContext) -> None:
    try:
        raise KeyError("deeper")
    except KeyError as cause:
        raise _error(arg) from cause


def _error(name: str) -> BaseException:
    request = httpx.Request("GET", "http://test.invalid")
    response = httpx.Response(429, headers={"Retry-After": "77"}, request=request)
    errors: dict[str, Callable[[], BaseException]] = {
        "value": lambda: ValueError("bad value"),
        "unpicklable": lambda: Unfriendly("one", "two"),
        "group": lambda: ExceptionGroup("both", [ValueError("a"), RetryLater(33)]),
        "later": lambda: RetryLater(42, "busy"),
        "snooze": lambda: Snooze(50),
        "discard": lambda: Discard("never"),
        "cancel": lambda: Cancel("no more"),
        "throttled": lambda: httpx.HTTPStatusError("slow", request=request, response=response),
    }
    return errors[name]()


def _mark(path: str) -> None:
    """Tell a test that the handler has begun."""
    if path:
        Path(path).write_text(str(os.getpid()), encoding="utf-8")


DEEDS = {
    "work": work, "spin": spin, "hang": hang, "swallow": swallow, "segfault": segfault,
    "exit": exit_at_once, "leave": leave, "close": close_pipes, "garbage": garbage, "fork": fork,
    "fork_and_die": fork_and_die, "progress": progress, "enqueue": enqueue, "raise": raise_one,
    "meet": meet, "leak": leak, "killed": killed, "forge": forge,
}  # fmt: skip


@queue.job("large", isolate=True)
def handle_large(payload: Deed) -> str:
    return "x" * 5_000_000


@queue.job("length", isolate=True)
def handle_length(payload: Deed) -> int:
    return len(payload.arg)


async def main(url: str, token: str) -> None:
    store = Store(Rest(url, token), "test")
    await Drain(store, Registry([app]), Budget.of(30.0), patience=0).run([queue])
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))

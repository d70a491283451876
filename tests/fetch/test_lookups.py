"""Look-ups of names whose servers do not answer: they hold threads of their own, and no others."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from shared import fetch
from shared.fetch import lookups
from shared.fetch.lookups import MOST_THREADS, look_up

ANSWER = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 0))]


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names that were asked for. Those under `slow` have no answer until the test ends."""
    asked, ended = list[str](), threading.Event()

    def resolve(host: str, *_args: Any, **_options: Any) -> list[Any]:
        asked.append(host)
        if host.endswith(".slow"):
            ended.wait(30)
        return ANSWER

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    lookups._threads.cache_clear()  # noqa: SLF001 - threads that no other test holds
    yield asked
    ended.set()
    lookups._threads.cache_clear()  # noqa: SLF001 - as above


async def test_slow_names_take_no_thread_of_anything_else(silent: list[str]) -> None:
    slow = [asyncio.create_task(look_up(f"n{n}.slow")) for n in range(3 * MOST_THREADS)]
    async with asyncio.timeout(10):
        while len(silent) < MOST_THREADS:  # noqa: ASYNC110 - the threads have no event of this loop
            await asyncio.sleep(0)
        assert await asyncio.to_thread(lambda: 7) == 7

    assert len(silent) == MOST_THREADS
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_the_wait_for_a_thread_is_within_the_time_of_a_fetch(silent: list[str]) -> None:
    slow = [asyncio.create_task(look_up(f"n{n}.slow")) for n in range(MOST_THREADS)]
    await asyncio.sleep(0)

    for one in (
        fetch.download("https://example.com/a", io.BytesIO(), max_bytes=1, timeout=0.01),
        fetch.post("https://example.com/a", b"", {}, timeout=0.01),
    ):
        with pytest.raises(fetch.FetchFailed):
            await one

    assert "example.com" not in silent
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_look_ups_that_wait_are_bounded(
    silent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "MOST_WAITING", 5)
    tasks = [asyncio.create_task(look_up(f"n{n}.slow")) for n in range(100)]
    await asyncio.sleep(0.05)

    refused = [task for task in tasks if task.done()]
    assert len(tasks) - len(refused) <= MOST_THREADS + 5
    for task in refused:
        with pytest.raises(OSError, match="too many look-ups"):
            task.result()
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_names_one_after_the_other_use_one_thread(silent: list[str]) -> None:
    def count() -> int:
        return sum(one.name == "look-up" for one in threading.enumerate())

    before = count()
    for n in range(20):
        assert await look_up(f"n{n}.example.com") == ["93.184.216.34"]
        await asyncio.sleep(0.001)  # the thread says that it is idle after its answer

    assert count() - before <= 2


PROGRAM = """
import asyncio, socket, time
from shared.fetch.lookups import look_up
socket.getaddrinfo = lambda *_args, **_options: time.sleep(600)
async def main():
    try:
        await asyncio.wait_for(look_up("a.slow"), 0.05)
    except TimeoutError:
        print("left")
asyncio.run(main())
"""


def test_a_process_ends_without_its_look_ups() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ),
    )  # fmt: skip

    assert ended.stdout == "left\n"

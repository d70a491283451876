"""A store of tests in virtual time: a server that answers late, in real time, moves no clock."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from shared.embedded import EmbeddedStore, open_embedded
from shared.testing import FakeClock, embedded_store, run_virtually

LATE = 0.05
"""Seconds of a real answer."""


async def answer_late() -> None:
    """Wait for a byte on a socket, beside a timer, as a connection to a server has one."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        timer = loop.call_later(5.0, lambda: None)
        threading.Timer(LATE, theirs.send, [b"+"]).start()
        await loop.sock_recv(ours, 1)
        timer.cancel()


def test_neither_opening_nor_closing_a_store_takes_virtual_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = FakeClock()

    async def opened(**options: Any) -> EmbeddedStore:
        await answer_late()
        return await open_embedded(**options)

    async def closed(embedded: EmbeddedStore) -> None:
        await answer_late()
        await close(embedded)

    close = EmbeddedStore.close
    monkeypatch.setattr("shared.testing.store.open_embedded", opened)
    monkeypatch.setattr(EmbeddedStore, "close", closed)

    async def story() -> None:
        async with embedded_store(clock=clock):
            assert clock.monotonic() == 0

    run_virtually(story(), clock)

    assert clock.monotonic() == 0

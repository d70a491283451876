"""Write faults: the writes before the failing one stay, and only the next run fails."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.embedded.commands import SERVED, WRITES
from shared.embedded.engine import Engine, RespEngine
from shared.errors import TooLarge
from shared.testing import FakeClock
from tests.support.failing import FULL, failing, failing_lua
from tests.support.servers import Servers, empty_engine, kinds
from tests.support.turns import jobs
from tests.support.world import World


@pytest.fixture(params=kinds())
async def world(
    request: pytest.FixtureRequest, servers: Servers, clock: FakeClock
) -> AsyncIterator[World]:
    async with empty_engine(request.param, servers) as engine, World(engine, clock) as opened:
        yield opened


async def test_the_writes_before_the_fault_stay_and_the_next_run_is_whole(world: World) -> None:
    queue = world.queue()
    whole = await _writes_of_an_enqueue(world)
    await world.probe.run("FLUSHALL")

    fault = await failing(world, "enqueue", whole)
    with pytest.raises(TooLarge, match=FULL):
        await world.store.enqueue(queue, jobs("a"))
    half = await world.probe.snapshot()
    answers = await world.store.enqueue(queue, jobs("a"))

    assert await fault.command() != ""
    assert half != {}
    assert [answer.state for answer in answers] == ["waiting"]


async def _writes_of_an_enqueue(world: World) -> int:
    n = 1
    while True:
        await world.probe.run("FLUSHALL")
        fault = await failing(world, "enqueue", n)
        try:
            await world.store.enqueue(world.queue(f"q{n}"), jobs("a"))
        except TooLarge:
            assert await fault.command() in WRITES
            n += 1
        else:
            assert await fault.command() == ""
            return n - 1


async def test_reads_are_no_writes_and_a_caught_fault_is_an_error_reply(engine: Engine) -> None:
    script = (
        "redis.call('GET', 'a') redis.call('set', 'a', 1) "
        "local r = redis.pcall('INCR', 'a') return {r.err, redis.call('GET', 'a')}"
    )

    reply = await engine.execute(("EVAL", f"{failing_lua(2)} {script}", "0"))

    assert reply == [FULL.encode(), b"1"]


async def test_the_list_of_writes_agrees_with_the_server(server_engine: RespEngine) -> None:
    replies = await server_engine.execute(("COMMAND",))
    assert isinstance(replies, list)
    flags = {
        reply[0].decode().upper(): reply[2]
        for reply in replies
        if isinstance(reply, list) and isinstance(reply[0], bytes) and isinstance(reply[2], list)
    }
    known = SERVED & flags.keys()

    assert {name for name in known if b"write" in flags[name]} == (WRITES & known) - {"XGROUP"}

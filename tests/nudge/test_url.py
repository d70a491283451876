"""Nudges over HTTP, to a real server."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from shared.errors import InvalidRequest
from shared.nudge.hops import MOST_HOPS, Origin, drain_of, next_hops, read_origin
from shared.nudge.nudge import NudgeRefused
from shared.nudge.sender import MOST_SECONDS, NudgeSender
from shared.nudge.url import UrlNudge
from tests.nudge.conftest import DrainRoute

SECRET = "the-cron-secret-of-these-tests"


def answer(status: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Length: 0", *headers, "", ""]
    return "\r\n".join(lines).encode()


async def test_the_route_is_asked_with_the_secret_and_its_answer_is_not_awaited(
    route: DrainRoute,
) -> None:
    nudge = UrlNudge(route.url, SECRET)
    await nudge.call(["import", "email"], 3)
    await nudge.close()

    (request,) = route.requests
    assert request.startswith("POST /api/cron/drain?queue=import%2Cemail HTTP/1.1\r\n")
    assert f"authorization: bearer {SECRET}".lower() in request.lower()
    assert "tidegate-hops: 3" in request.lower()


async def test_the_api_may_be_mounted_below_a_prefix(route: DrainRoute) -> None:
    nudge = UrlNudge(f"{route.url}/tidegate", SECRET)
    await nudge.call(["q"], 0)
    await nudge.close()

    assert route.requests[0].startswith("POST /tidegate/api/cron/drain?queue=q HTTP/1.1\r\n")


async def test_several_calls_share_a_client(route: DrainRoute) -> None:
    route.answer = answer("200 OK")
    nudge = UrlNudge(route.url, SECRET)
    await asyncio.gather(*(nudge.call(["q"], 0) for _ in range(5)))
    await nudge.close()

    assert len(route.requests) == 5


@pytest.mark.parametrize("status", ["401 No", "404 Gone", "429 Many", "500 Oops", "503 Busy"])
async def test_a_refusal_is_an_error_that_tells_the_status(route: DrainRoute, status: str) -> None:
    route.answer = answer(status)
    nudge = UrlNudge(route.url, SECRET)
    with pytest.raises(NudgeRefused, match=status[:3]):
        await nudge.call(["q"], 0)
    await nudge.close()


@pytest.mark.parametrize("status", ["301 M", "302 F", "307 T", "308 P"])
async def test_the_secret_follows_no_redirect(route: DrainRoute, status: str) -> None:
    other = DrainRoute()
    async with await asyncio.start_server(other.serve, "127.0.0.1", 0) as server:
        other.port = server.sockets[0].getsockname()[1]
        route.answer = answer(status, f"Location: {other.url}/api/cron/drain")
        nudge = UrlNudge(route.url, SECRET)
        with pytest.raises(NudgeRefused):
            await nudge.call(["q"], 0)
        await nudge.close()

    assert (len(route.requests), other.requests) == (1, [])


async def test_no_proxy_of_the_environment_sees_the_secret(
    route: DrainRoute, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, route.url)
    nudge = UrlNudge("http://127.0.0.1:9", SECRET)
    with pytest.raises(httpx.ConnectError):
        await nudge.call(["q"], 0)
    await nudge.close()

    assert route.requests == []


async def test_a_sender_logs_a_failure_without_the_secret_and_raises_nothing(
    route: DrainRoute, caplog: pytest.LogCaptureFixture
) -> None:
    route.answer = answer("401 No")
    sender = NudgeSender(UrlNudge(route.url, SECRET), 1.0)
    sent = [await sender.send(["q"]) for _ in range(3)]
    route.answer = answer("200 OK")
    sent += [await sender.send(["q"])]
    route.answer = answer("500 Oops")
    sent += [await sender.send(["q"])]
    await sender.close()

    assert sent == [False, False, False, True, False]
    lines = [vars(record) for record in caplog.records if record.message == "nudge_failed"]
    told = "NudgeRefused: the drain route answered"
    assert [line["error"] for line in lines] == [f"{told} 401", f"{told} 500"]
    assert SECRET not in str(lines)


async def test_an_address_that_hangs_costs_a_bounded_time() -> None:
    class HangingNudge:
        async def call(self, queues: object, hops: int) -> None:
            await asyncio.Event().wait()

        async def close(self) -> None: ...

    loop = asyncio.get_running_loop()
    began = loop.time()
    assert not await NudgeSender(HangingNudge(), 1.0).send(["q"])
    assert loop.time() - began >= MOST_SECONDS
    assert not await NudgeSender(HangingNudge(), 1.0).send(["q"], within=0.0)


async def test_a_caller_that_gives_up_is_given_up() -> None:
    class HangingNudge:
        async def call(self, queues: object, hops: int) -> None:
            await asyncio.Event().wait()

        async def close(self) -> None: ...

    sending = asyncio.create_task(NudgeSender(HangingNudge(), 1.0).send(["q"]))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_the_hops_of_nested_drains_are_counted_and_bounded(route: DrainRoute) -> None:
    route.answer = answer("200 OK")
    sender, sent = NudgeSender(UrlNudge(route.url, SECRET), 1.0), []
    for hops in (0, MOST_HOPS - 1, MOST_HOPS, MOST_HOPS + 50):
        with drain_of(Origin(hops, nudged=True)):
            sent.append(await sender.send(["q"]))
    sent.append(await sender.send(["q"]))
    await sender.close()

    assert sent == [True, True, False, False, True]
    told = [line for one in route.requests for line in one.lower().splitlines() if "hops" in line]
    assert told == ["tidegate-hops: 1", f"tidegate-hops: {MOST_HOPS}", "tidegate-hops: 0"]


@pytest.mark.parametrize("hops", [0, MOST_HOPS])
async def test_a_thread_that_a_handler_starts_is_a_part_of_its_drain(hops: int) -> None:
    def in_pool() -> int | None:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(next_hops).result()

    with drain_of(Origin(hops, nudged=True)), drain_of(None):
        assert next_hops() == 1
        found = await asyncio.to_thread(in_pool)

    assert found == (hops + 1 if hops < MOST_HOPS else None)
    assert (in_pool(), next_hops()) == (0, 0)


@pytest.mark.parametrize("text", ["0", "7", "999", 3])
def test_hops_are_read(text: str | int) -> None:
    assert read_origin(text) == (int(text), True)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1000", "x", "٣", " 1", True, [], {}])
def test_other_hops_are_refused(text: object) -> None:
    with pytest.raises(InvalidRequest, match="0 to 999"):
        read_origin(text)

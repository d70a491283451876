"""The HTTP layer below upstash-redis: every answer has one meaning, and none is an accident."""

from __future__ import annotations

import base64
import inspect
import itertools
import random
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from upstash_redis.asyncio import Redis
from upstash_redis.http import AsyncHttpClient

from shared.errors import (
    MoreShards,
    NoScript,
    QuotaExceeded,
    Refused,
    ScriptError,
    StoreError,
    Throttled,
    TooLarge,
    UnknownOutcome,
    Unreachable,
)
from shared.store.client import replies as reply
from shared.store.client.replies import LARGEST_REPLY
from shared.store.client.rest import Rest
from shared.store.client.upstash import HttpAdapter
from shared.store.scripts import script
from shared.testing import FakeClock, run_virtually

Answer = Callable[[httpx.Request], httpx.Response]


def rest(answer: Answer | list[Answer], clock: FakeClock | None = None) -> Rest:
    """A client whose requests are answered by a function, or by each of a list in turn."""
    turns = iter(answer) if isinstance(answer, list) else None

    def handle(request: httpx.Request) -> httpx.Response:
        chosen = next(turns) if turns else answer
        assert callable(chosen)
        return chosen(request)

    transport = httpx.MockTransport(handle)
    return Rest("https://x.upstash.io", "t", transport=transport, clock=clock or FakeClock())


def says(status: int, **content: Any) -> Answer:
    return lambda _request: httpx.Response(status, **content)


def fails(kind: type[httpx.TransportError]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise kind("on purpose", request=request)

    return answer


def test_the_private_names_of_upstash_redis_that_we_rely_on() -> None:
    client = Redis("https://x.upstash.io", "t", rest_retries=0, allow_telemetry=False)
    ours_made = Rest("https://x.upstash.io", "t")._client  # noqa: SLF001 - as below
    theirs = list(inspect.signature(AsyncHttpClient.execute).parameters)
    ours = list(inspect.signature(HttpAdapter.execute).parameters)

    assert isinstance(client._http, AsyncHttpClient)  # noqa: SLF001 - this is the pin
    assert vars(client).keys() - {"_json", "_search"} == vars(ours_made).keys()
    assert client._headers == ours_made._headers  # noqa: SLF001 - as above
    assert theirs == ours
    assert inspect.iscoroutinefunction(AsyncHttpClient.execute)
    assert "self._http.close()" in inspect.getsource(Redis.close)
    assert "self._http.execute(" in inspect.getsource(Redis.execute)


async def test_the_request_is_what_upstash_expects() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"result": "T0s="}, headers={"upstash-sync-token": "s1"})

    client = rest(answer)
    await client.execute(["SET", "k", "v"], "test")
    await client.execute(["GET", "k"], "test")

    first, second = seen
    assert (first.method, first.content) == ("POST", b'["SET","k","v"]')
    assert first.headers["authorization"] == "Bearer t"
    assert first.headers["upstash-encoding"] == "base64"
    assert [r.headers["upstash-sync-token"] for r in (first, second)] == ["", "s1"]
    assert (client.meter.requests, client.meter.commands) == (2, 2)


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (400, {"json": {"error": "NOSCRIPT No matching script."}}, NoScript),
        (400, {"json": {"error": "ERR TIDEGATE SHARDS 4 script: 1f"}}, MoreShards),
        (401, {"json": {"error": "WRONGPASS invalid or missing auth token"}}, Refused),
        (401, {"text": "go away"}, Refused),
        (403, {"text": ""}, Refused),
        (400, {"json": {"error": "NOPERM this user has no permissions"}}, Refused),
        (400, {"json": {"error": "READONLY You can't write against a read only"}}, Refused),
        (400, {"json": {"error": "ERR max requests limit exceeded. Limit: 1"}}, QuotaExceeded),
        (400, {"json": {"error": "ERR max daily request limit exceeded."}}, QuotaExceeded),
        (400, {"json": {"error": "ERR DB capacity quota exceeded"}}, QuotaExceeded),
        (400, {"json": {"error": "ERR max request size exceeded."}}, TooLarge),
        (400, {"json": {"error": "WRONGTYPE Operation against a key"}}, ScriptError),
        (400, {"json": {"error": "ERR Error running script: x TIDEGATE y"}}, ScriptError),
        (307, {"headers": {"location": "https://evil.example"}}, Refused),
        *[
            (status, form(text), QuotaExceeded)
            for status in (200, 400, 402, 403, 429, 500, 502, 503)
            for text in (
                "ERR max requests limit exceeded. Limit: 500000, Usage: 500001.",
                "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.",
                "ERR DB capacity quota exceeded",
                "Max monthly bandwidth limit exceeded",
            )
            for form in (
                lambda text: {"json": {"error": text}},
                lambda text: {"json": {"message": text}},
                lambda text: {"text": text},
                lambda text: {"html": f"<h1>{text}</h1>"},
            )
        ],
    ],
)
async def test_an_answer_that_no_repeat_can_mend_is_raised_at_once(
    status: int, content: dict[str, Any], kind: type[StoreError]
) -> None:
    client = rest(says(status, **content))

    with pytest.raises(kind):
        await client.execute(["PING"], "test")

    assert client.meter.requests == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (fails(httpx.ConnectError), Unreachable),
        (fails(httpx.ConnectTimeout), Unreachable),
        (fails(httpx.PoolTimeout), Unreachable),
        (fails(httpx.ReadTimeout), UnknownOutcome),
        (fails(httpx.ReadError), UnknownOutcome),
        (fails(httpx.WriteError), UnknownOutcome),
        (fails(httpx.RemoteProtocolError), UnknownOutcome),
        (says(502, html="<h1>Bad Gateway</h1>"), UnknownOutcome),
        (says(503, json={"error": "ERR backend is away"}), UnknownOutcome),
        (says(200, text=""), UnknownOutcome),
        (says(200, text="not json"), UnknownOutcome),
        (says(200, json={"result": "a"}), UnknownOutcome),
        (says(200, json={"other": 1}), UnknownOutcome),
        (says(200, json="text"), UnknownOutcome),
        (says(200, content=b'{"result":["YQ=='), UnknownOutcome),
        (says(200, content=b"x", headers={"content-encoding": "gzip"}), UnknownOutcome),
        (says(200, content=b"[" * 100_000), UnknownOutcome),
        (says(429, text="slow down"), Throttled),
        (says(429, json={"error": "ERR too many"}), Throttled),
        (says(400, json={"error": "LOADING the dataset"}), Throttled),
    ],
)
async def test_what_may_pass_is_repeated_until_the_deadline_and_then_named(
    answer: Answer, kind: type[StoreError]
) -> None:
    clock = FakeClock()
    client = rest(answer, clock)

    with pytest.raises(kind):
        await client.execute(["PING"], "test", within=4)

    assert client.meter.requests > 2
    assert clock.monotonic() < 4


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (httpx.ConnectError("refused"), "refused"),
        (httpx.ConnectTimeout(""), "ConnectTimeout"),
        (httpx.ReadError("reset"), "reset"),
        (TimeoutError(), "TimeoutError"),
    ],
)
async def test_an_unreachable_store_is_named_with_the_cause(error: Exception, cause: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(StoreError) as caught:
        await rest(answer).execute(["PING"], "test", within=0)

    assert "x.upstash.io" in str(caught.value)
    assert cause in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind", "part"),
    [
        (says(400, json={"error": "WRONGTYPE no"}), ScriptError, "WRONGTYPE no"),
        (says(200, json={"error": "NOSCRIPT no"}), NoScript, "NOSCRIPT no"),
        (says(500, json={"error": "ERR away"}), UnknownOutcome, "ERR away"),
        (says(429, json={"error": "ERR slowly"}), Throttled, "ERR slowly"),
        (says(429, text="x"), Throttled, "429"),
        (says(401, text="x"), Refused, "token"),
        (says(300, text="x"), Refused, "UPSTASH_REDIS_REST_URL"),
        (says(502, text="x"), UnknownOutcome, "502"),
        (says(200, text="some garbage"), UnknownOutcome, "some garbage"),
    ],
    ids=[
        *("fault", "no-script", "away", "slowly", "slow", "token", "redirect", "proxy", "garbage"),
    ],
)
async def test_an_error_carries_the_words_of_the_store_or_the_setting_to_check(
    answer: Answer, kind: type[StoreError], part: str
) -> None:
    with pytest.raises(kind, match=part):
        await rest(answer).execute(["PING"], "test", within=0)


@pytest.mark.parametrize(
    ("within", "allowed"),
    [(None, (2.0, 2.0)), (60, (2.0, 5.0)), (3, (1.2, 1.2)), (1, (0.4, 0.4)), (0, (0.05, 0.05))],
)
async def test_a_first_attempt_may_take_a_part_of_what_is_left_and_never_more_than_is_usual(
    within: float | None, allowed: tuple[float, float]
) -> None:
    clock = FakeClock()
    clock.advance(1000)
    seen: list[dict[str, float]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, json={"result": 1})

    await rest(answer, clock).execute(["PING"], "test", within=within)

    (timeout,) = seen
    assert (timeout["connect"], timeout["read"]) == pytest.approx(allowed, abs=0.001)


async def test_the_meter_counts_every_byte_both_ways() -> None:
    client = rest(says(200, content=b'{"result":1}'))

    await client.execute(["PING"], "test")
    await client.execute(["GET", "k"], "test")

    assert (client.meter.bytes_out, client.meter.bytes_in) == (8 + 11, 12 + 12)


@pytest.mark.parametrize(("limit", "fits"), [(12, True), (11, False)])
async def test_a_reply_may_be_as_large_as_the_limit_in_any_number_of_pieces(
    monkeypatch: pytest.MonkeyPatch, limit: int, *, fits: bool
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"result"'
        yield b":1}"

    monkeypatch.setattr(reply, "LARGEST_REPLY", limit)
    client = rest(lambda _request: httpx.Response(200, content=pieces()))

    if fits:
        assert await client.execute(["GET", "k"], "test") == 1
        return
    with pytest.raises(TooLarge, match="11 bytes"):
        await client.execute(["GET", "k"], "test")


@pytest.mark.parametrize("known", [True, False])
async def test_a_script_is_not_repeated_beyond_its_time(*, known: bool) -> None:
    unknown = says(400, json={"error": "NOSCRIPT No matching script."})
    clock = FakeClock()
    clock.advance(1000)
    client = rest([*([] if known else [unknown]), fails(httpx.ReadError)], clock)

    with pytest.raises(UnknownOutcome):
        await script("pause").send(client, ["k"], ["q", "1"], within=0)


async def test_a_reply_without_a_date_gives_no_skew() -> None:
    client = rest(says(200, json={"result": 1}))
    await client.execute(["PING"], "test")

    assert client.skew_ms() == 0


@pytest.mark.parametrize(
    "answer",
    [says(502, text="x"), says(500, json={"error": "ERR away"}), says(429), says(200, text="x")],
)
async def test_a_store_that_answers_errors_gets_at_most_four_attempts_over_seconds(
    answer: Answer,
) -> None:
    clock = FakeClock()
    client = rest(answer, clock)

    with pytest.raises(StoreError):
        await client.execute(["PING"], "test", within=600)

    assert client.meter.requests == 4
    assert 2.5 <= clock.monotonic() <= 5.25


async def test_repeats_wait_twice_as_long_each_time_up_to_two_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(random, "random", lambda: 1.0)
    clock, began = FakeClock(), list[float]()

    def answer(request: httpx.Request) -> httpx.Response:
        began.append(clock.monotonic())
        raise httpx.ConnectError("refused")

    with pytest.raises(Unreachable):
        await rest(answer, clock).execute(["PING"], "test", within=10)

    waits = [later - earlier for earlier, later in itertools.pairwise(began)]
    assert waits == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0])


async def test_the_answer_after_a_fault_is_the_answer() -> None:
    client = rest([fails(httpx.ReadError), says(502, text="x"), says(200, json={"result": 7})])

    assert await client.execute(["INCR", "k"], "test") == 7
    assert (client.meter.requests, client.meter.commands) == (3, 1)


@pytest.mark.parametrize(("header", "waited"), [("3", 3.0), ("0", 0.0), ("soon", 0.0), ("-5", 0.0)])
async def test_retry_after_is_waited_out(header: str, waited: float) -> None:
    clock = FakeClock()
    slow = says(429, headers={"retry-after": header}, json={"error": "ERR rate limit"})
    client = rest([slow, says(200, json={"result": 1})], clock)

    await client.execute(["PING"], "test", within=10)

    assert waited <= clock.monotonic() <= max(waited, 0.25)


async def test_a_retry_after_beyond_the_deadline_is_not_waited_for() -> None:
    clock = FakeClock()
    client = rest(says(429, headers={"retry-after": "3600"}), clock)

    with pytest.raises(Throttled) as caught:
        await client.execute(["PING"], "test", within=10)

    assert caught.value.retry_after == 3600
    assert clock.monotonic() == 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("inf", 86_400), ("1e300", 86_400), ("9" * 400, 86_400), ("-inf", 0), ("nan", 0), ("x", None)],
)
async def test_a_retry_after_that_no_clock_has_is_bounded(
    header: str, seconds: float | None
) -> None:
    client = rest(says(429, headers={"retry-after": header}), FakeClock())

    with pytest.raises(Throttled) as caught:
        await client.execute(["PING"], "test", within=0)

    assert caught.value.retry_after == seconds


async def test_one_element_that_is_not_utf8_harms_no_other() -> None:
    encoded = [base64.b64encode(raw).decode() for raw in (b"good", b"\xff\xfe", "ü".encode(), b"")]
    client = rest(says(200, json={"result": [*encoded, 3, None, [encoded[1]], "OK"]}))

    decoded = await client.execute(["EVAL"], "test")

    assert decoded == ["good", b"\xff\xfe", "ü", "", 3, None, [b"\xff\xfe"], "OK"]


async def test_a_request_over_the_limit_is_not_sent() -> None:
    client = rest(says(200, json={"result": 1}))

    with pytest.raises(TooLarge, match="the store takes"):
        await client.execute(["SET", "k", "x" * (10 * 2**20)], "test")

    assert client.meter.requests == 0


async def test_a_reply_over_the_limit_is_cut_off() -> None:
    async def flood() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_REPLY // 2**20 + 2):
            yield b"x" * 2**20
        raise AssertionError("it was read to its end")

    client = rest(lambda _request: httpx.Response(200, content=flood()))

    with pytest.raises(TooLarge):
        await client.execute(["GET", "k"], "test")


def test_a_reply_that_drips_does_not_outlast_the_deadline() -> None:
    clock = FakeClock()

    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await clock.sleep(1)

    async def story() -> None:
        client = rest(lambda _request: httpx.Response(200, content=drip()), clock)
        with pytest.raises(UnknownOutcome):
            await client.execute(["GET", "k"], "test", within=3)

    run_virtually(story(), clock)
    assert clock.monotonic() <= 5


@pytest.mark.parametrize("result", [5, None, [], {"a": 1}, "eA==", [None], ["eA=="]])
async def test_a_script_whose_reply_has_another_shape_is_a_store_error(result: Any) -> None:
    client = rest(says(200, json={"result": result}))

    with pytest.raises(StoreError, match=r"pause|reply"):
        await script("pause").send(client, ["k"], ["q", "1"], within=0)


async def test_a_script_the_store_does_not_know_is_sent_whole_once() -> None:
    bodies: list[bytes] = []

    def unknown(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(400, json={"error": "NOSCRIPT No matching script."})

    def known(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200, json={"result": [3, "MA=="]})

    client = rest([unknown, known])

    assert (await script("pause").send(client, ["k"], ["q", "1"])).value == ["0"]
    assert [body[:10] for body in bodies] == [b'["EVALSHA"', b'["EVAL","#']
    assert client.meter.by_verb == {"pause": 4}  # two sent, and two more that the script made


async def test_a_url_that_is_none_is_a_refusal() -> None:
    client = Rest("http://x:port", "t", clock=FakeClock())

    with pytest.raises(Refused, match="UPSTASH_REDIS_REST_URL is not a URL"):
        await client.execute(["PING"], "test")


@pytest.mark.parametrize(
    ("offset", "skew"),
    [(0, 0), (1, 0), (-1, 0), (2, 2000), (-2, -2000), (86_400, 86_400_000), (-60, -60_000)],
)
async def test_the_date_of_a_reply_gives_the_skew_of_our_clock(offset: int, skew: int) -> None:
    clock = FakeClock()
    date = formatdate(clock.epoch_ms() / 1000 + offset, usegmt=True)
    client = rest(says(200, json={"result": 1}, headers={"date": date}), clock)
    assert client.skew_ms() == 0
    await client.execute(["PING"], "test")

    assert client.skew_ms() == skew


@pytest.mark.parametrize("status", [400, 404, 405, 410, 501])
@pytest.mark.parametrize("content", [{"html": "<h1>no</h1>"}, {"json": {"detail": "Not Found"}}])
async def test_a_server_that_is_no_store_is_a_wrong_setting(
    status: int, content: dict[str, Any]
) -> None:
    client = rest(says(status, **content))

    with pytest.raises(
        Refused, match=f"no store answers at UPSTASH_.*another server said {status}"
    ):
        await client.execute(["PING"], "test")

    assert client.meter.requests == 1


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ({"content": b"<html>\n <b>\x00\x1b[2J\xff"}, r"<html> <b> \[2J"),
        ({"content": b""}, "nothing"),
        ({"json": {"ok": 1}}, '{"ok":1}'),
    ],
)
async def test_what_another_server_wrote_is_shown_as_text(
    content: dict[str, Any], shown: str
) -> None:
    client = rest(says(200, **content))

    with pytest.raises(UnknownOutcome, match=f"answered 200 without a result: {shown}") as raised:
        await client.execute(["PING"], "test", within=0.1)

    assert str(raised.value).isprintable()
    assert "b'" not in str(raised.value)

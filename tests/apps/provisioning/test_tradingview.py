"""Access is granted on the list of each strategy, once for any number of runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
import respx
from pydantic import ValidationError

from functions.apps.provisioning import AccessGrant, app, grant_access
from functions.demo.standins import StandIns
from functions.providers.http import SPREAD, UnreadableAnswer
from functions.providers.mail import RESEND
from functions.providers.tradingview import SITE
from shared import ConfigurationError, Discard
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.testing import FakeClock, embedded_store, run_job, run_virtually

from ..conftest import MakeContext
from ..outside import failing

SCRIPTS = ("PUB;aaaaaaaaaaaa", "PUB;bbbbbbbbbbbb")
GRANT = AccessGrant(username="ada_l", strategies=SCRIPTS, email="ada@example.com")
UNTIL = datetime(9998, 1, 31, 12, tzinfo=UTC)
ADD, MODIFY = f"{SITE}/pine_perm/add/", f"{SITE}/pine_perm/modify_user_expiration/"
LIST = f"{SITE}/pine_perm/list_users/"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.MockRouter]:
    """The site, and an account there."""
    monkeypatch.setenv("TRADINGVIEW_SESSION", "s3ss10n")
    with respx.mock(assert_all_called=False) as router:
        yield router


def forms(route: respx.Route) -> list[dict[str, str]]:
    return [dict(parse_qsl(call.request.content.decode())) for call in route.calls]


async def test_a_new_user_is_put_on_each_list(site: respx.MockRouter, context: MakeContext) -> None:
    add = site.post(ADD).respond(200, json={"status": "ok"})
    job = context()

    result = await grant_access(GRANT, job)

    assert result == {"strategies": 2, "new": 2}
    assert forms(add) == [{"pine_id": one, "username_recip": "ada_l"} for one in SCRIPTS]
    assert {call.request.headers["cookie"] for call in add.calls} == {"sessionid=s3ss10n"}
    assert job.last_progress == {"progress": 100}


EARLIER, LATER = UNTIL.replace(day=1), UNTIL.replace(month=7)


@pytest.mark.parametrize(
    ("until", "present", "end"),
    [
        (None, UNTIL, {"noExpiration": "true"}),
        (UNTIL, EARLIER, {"expiration": "9998-01-31T12:00:00+00:00"}),
        (UNTIL, UNTIL, None),
        (UNTIL, LATER, None),
        (UNTIL, None, None),
        (None, None, None),
    ],
)
async def test_who_is_on_the_list_gets_the_later_end(
    until: datetime | None,
    present: datetime | None,
    end: dict[str, str] | None,
    site: respx.MockRouter,
    context: MakeContext,
) -> None:
    site.post(ADD).respond(200, json={"status": "exists"})
    # A name that begins so is another user's; names have no case.
    longer = {"username": "ada_love", "expiration": None}
    own = {"username": "Ada_L", "expiration": present and present.isoformat()}
    listed = site.post(LIST).respond(200, json={"results": [longer, own], "next": ""})
    modify = site.post(MODIFY).respond(200, json={"status": "ok"})

    result = await grant_access(GRANT.model_copy(update={"until": until}), context())

    assert result == {"strategies": 2, "new": 0}
    assert forms(listed) == [{"pine_id": one, "username": "ada_l"} for one in SCRIPTS]
    change = [] if end is None else [end] * 2
    assert forms(modify) == [
        {"pine_id": one, "username_recip": "ada_l"} | each
        for one, each in zip(SCRIPTS, change, strict=False)
    ]


async def test_who_left_the_list_meanwhile_is_given_the_end(
    site: respx.MockRouter, context: MakeContext
) -> None:
    site.post(ADD).respond(200, json={"status": "exists"})
    site.post(LIST).respond(200, json={"results": []})
    modify = site.post(MODIFY).respond(200, json={"status": "ok"})

    await grant_access(GRANT, context())

    assert modify.call_count == 2


@pytest.mark.parametrize("user", ["ada", "Ada"])
@pytest.mark.parametrize(
    ("ends", "last"),
    [
        (("9997-02-01", "9998-02-01"), "9998-02-01"),
        (("9998-02-01", "9997-02-01"), "9998-02-01"),
        (("9997-02-01", None), None),
        ((None, "9997-02-01"), None),
        (("9997-02-01", "9997-02-01"), "9997-02-01"),
    ],
)
@pytest.mark.parametrize("late", [0, 1])
def test_an_older_grant_that_is_late_shortens_no_access(
    late: int,
    ends: tuple[str | None, str | None],
    last: str | None,
    user: str,
    standins: StandIns,
    folder: Path,
) -> None:
    grants = [
        AccessGrant.model_validate(
            {"username": name, "strategies": SCRIPTS, "email": "ada@example.com"}
            | ({} if end is None else {"until": f"{end}T00:00:00Z"})
        )
        for name, end in zip(("ada", user), ends, strict=True)
    ]
    clock, met = FakeClock(), list[str]()

    def fail(request: httpx.Request) -> httpx.Response | None:
        end = dict(parse_qsl(request.content.decode())).get("expiration", "")
        if met or not end.startswith(ends[late] or "?"):
            return None
        met.append(end)
        return httpx.Response(503)

    async def story() -> None:
        async with embedded_store(clock=clock) as store:
            await grant_access.enqueue_many([grant_access.job(grant) for grant in grants])
            for _minute in range(3):
                drain = Drain(store, Registry([app]), Budget.of(55, clock=clock))
                await drain.run([grant_access.queue])
                clock.advance(20)
            assert (await store.stats(grant_access.queue)).totals["done"] == 4

    with failing("tradingview", fail):
        run_virtually(story(), clock)

    for script in SCRIPTS:
        (end,) = standins.tradingview.lists[script].values()
        assert (end and end[:10]) == last


@pytest.mark.parametrize("until", ["1970-01-01T00:00:00+00:00", "2026-01-01T00:00:00+14:00"])
async def test_an_access_that_is_over_is_refused_before_anything_is_granted(
    until: str, site: respx.MockRouter, context: MakeContext
) -> None:
    over = AccessGrant.model_validate(GRANT.model_dump() | {"until": until})

    with pytest.raises(Discard, match="is over; give a later instant"):
        await grant_access(over, context())

    assert not site.calls


@pytest.mark.parametrize(
    "until",
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z"],
)
def test_an_instant_that_has_no_date_in_each_zone_is_refused_at_the_door(until: str) -> None:
    with pytest.raises(ValidationError, match="give an instant from 1970 on and before 9999"):
        AccessGrant.model_validate(GRANT.model_dump() | {"until": until})


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_failure_that_may_pass_is_retried_at_the_time_the_site_names(
    status: int, site: respx.MockRouter, context: MakeContext
) -> None:
    site.post(ADD).respond(status, headers={"retry-after": "12"})

    with pytest.raises(httpx.HTTPStatusError) as caught:
        await grant_access(GRANT, context())

    assert caught.value.response.headers["retry-after"] == "12"


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 422])
async def test_a_refusal_is_not_retried(
    status: int, site: respx.MockRouter, context: MakeContext
) -> None:
    site.post(ADD).respond(status, json={"detail": "unknown user"})

    with pytest.raises(Discard, match=f"TradingView answers {status}: unknown user"):
        await grant_access(GRANT, context())


@pytest.mark.parametrize("body", ["<html>", "", "[]", '{"status": "later"}', "null"])
async def test_an_answer_that_says_nothing_is_retried(
    body: str, site: respx.MockRouter, context: MakeContext
) -> None:
    site.post(ADD).respond(200, text=body)

    with pytest.raises(UnreadableAnswer, match="TradingView"):
        await grant_access(GRANT, context())


async def test_a_silent_site_is_retried(site: respx.MockRouter, context: MakeContext) -> None:
    site.post(ADD).mock(side_effect=httpx.ReadTimeout("slow"))

    with pytest.raises(httpx.ReadTimeout):
        await grant_access(GRANT, context())


async def test_no_session_is_one_clear_sentence(
    context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRADINGVIEW_SESSION", raising=False)

    with pytest.raises(ConfigurationError, match="TRADINGVIEW_SESSION is not set"):
        await grant_access(GRANT, context())


@pytest.mark.parametrize(("status", "state", "told"), [(200, "completed", 1), (404, "dead", 0)])
async def test_the_user_is_told_once_and_only_of_access_that_is_granted(
    status: int,
    state: str,
    told: int,
    site: respx.MockRouter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAIL_FOLDER", str(tmp_path / "mail"))
    answer = httpx.Response(status, json={"status": "ok"})
    site.post(ADD).mock(side_effect=[answer, httpx.Response(503), answer, answer, answer])
    clock = FakeClock()

    async with embedded_store(clock=clock) as store:
        view = await run_job(store, grant_access, GRANT, clock=clock)

    emails = [path.read_text(encoding="utf-8") for path in (tmp_path / "mail").glob("*.eml")]
    assert (view.state, len(emails)) == (state, told)
    for text in emails:
        assert "To: ada@example.com" in text
        assert "2 of our strategies for good" in text


def test_a_flood_that_the_mail_provider_limits_sends_each_email_at_its_first_attempt(
    site: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESEND_API_KEY", "key")
    monkeypatch.setenv("MAIL_FROM", "a@example.com")
    site.post(ADD).respond(200, json={"status": "ok"})
    clock = FakeClock()
    seconds, sent = Counter[int](), Counter[str]()

    def answer(request: httpx.Request) -> httpx.Response:
        second = clock.epoch_ms() // 1000
        seconds[second] += 1
        if seconds[second] > 2:  # Resend's documented default, of a whole team
            return httpx.Response(429, headers={"retry-after": "1"}, json={"message": "slow down"})
        sent[request.headers["idempotency-key"]] += 1
        return httpx.Response(200, json={"id": "x"})

    site.post(RESEND).mock(side_effect=answer)
    grants = [grant_access.job(GRANT.model_copy(update={"username": f"u{n}"})) for n in range(60)]

    async def flood() -> None:
        async with embedded_store(clock=clock) as store:
            await grant_access.enqueue_many(grants)
            for _minute in range(12):
                drain = Drain(store, Registry([app]), Budget.of(55, clock=clock))
                await drain.run([grant_access.queue])
                clock.advance(SPREAD)
            totals = (await store.stats(grant_access.queue)).totals
        assert (totals["done"], totals["retried"], totals["dead"]) == (120, 0, 0)

    run_virtually(flood(), clock)

    assert len(sent) == sent.total() == 60

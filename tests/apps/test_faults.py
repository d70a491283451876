"""The stand-ins' faults: each kind in turn, once a subject, and what they count."""

from __future__ import annotations

import asyncio

from starlette.responses import PlainTextResponse, Response

from functions.demo.standins import Faults
from functions.demo.standins.faults import KINDS, SLOW
from shared.testing import FakeClock, run_virtually


def test_every_second_subject_meets_a_fault_and_is_served_afterwards(clock: FakeClock) -> None:
    faults = Faults(every=2)
    served: list[str] = []

    def serve(subject: str) -> Response:
        served.append(subject)
        return PlainTextResponse("ok")

    async def ask(subject: str) -> Response:
        return await faults.answer(subject, lambda: serve(subject))

    async def story() -> None:
        subjects = [f"s{number}" for number in range(2 * len(KINDS))]
        first = [await ask(subject) for subject in subjects]
        assert [one.status_code for one in first[1::2]] == [429, 503, 200, 200, 504]
        assert first[1].headers["retry-after"] == "1"
        assert first[5].body != b"ok"
        assert {one.body for one in first[::2]} == {b"ok"}
        assert served == [f"s{number}" for number in (0, 2, 4, 6, 7, 8, 9)]  # slow, and lost
        again = await asyncio.gather(*map(ask, subjects))
        assert {one.body for one in again} == {b"ok"}

    run_virtually(story(), clock)

    assert dict(faults.met) == dict.fromkeys(KINDS, 1)
    assert clock.monotonic() >= SLOW
    assert faults.requests == 4 * len(KINDS)
    assert faults.most_at_once == 2 * len(KINDS)


def test_without_faults_everything_is_served(clock: FakeClock) -> None:
    faults = Faults()

    async def story() -> None:
        for number in range(20):
            answer = await faults.answer(f"s{number}", lambda: PlainTextResponse("ok"))
            assert answer.body == b"ok"

    run_virtually(story(), clock)

    assert not faults.met

"""The page of open questions is whole, and asking works: here the embedded store answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.cli.upstash_survey import QUESTIONS, Answer, ask, page, unasked
from shared.embedded.protocol import UpstashProtocol
from shared.embedded.transport import EmbeddedTransport
from tests.support.servers import Servers, empty_engine, kinds

PAGE = Path(__file__).parents[2] / "docs" / "upstash-live.md"
TOKEN = "a-token-of-live-tests"


class Survey(NamedTuple):
    """The answers of one store, and the number of keys that asking left in it."""

    answers: list[Answer]
    keys: object


@pytest.fixture(scope="module")
def survey(servers: Servers) -> Survey:
    """Asked once: one question is a script that runs for seconds."""

    async def run() -> Survey:
        async with empty_engine(kinds()[0], servers) as engine:
            transport = EmbeddedTransport(UpstashProtocol(engine, token=TOKEN))
            asking = ask("http://embedded.localhost", TOKEN, transport=transport)
            answers = [answer async for answer in asking]
            return Survey(answers, await engine.execute(("DBSIZE",)))

    return asyncio.run(run())


def test_there_are_the_twelve_questions() -> None:
    assert len(QUESTIONS) == len({question for question, _, _ in QUESTIONS}) == 12


def test_the_page_asks_every_question() -> None:
    text = PAGE.read_text(encoding="utf-8")

    for number, (question, expected, _) in enumerate(QUESTIONS, start=1):
        assert f"| {number} | {question} | {expected} | " in text


def test_the_page_says_that_it_has_no_answers_yet() -> None:
    text = PAGE.read_text(encoding="utf-8")

    if "Asked on" not in text:
        assert text == page(unasked(), when="Nobody has asked them yet.")


def test_every_question_gets_an_answer_and_leaves_no_key(survey: Survey) -> None:
    assert [answer.number for answer in survey.answers] == list(range(1, 13))
    assert all(answer.said and "not yet run" not in answer.said for answer in survey.answers)
    assert survey.keys == 0


def test_the_assumptions_of_the_engine_hold_on_the_embedded_store(survey: Survey) -> None:
    answers = {answer.number: answer.said for answer in survey.answers}

    assert "NOSCRIPT" in answers[2]
    assert answers[3].startswith("200")
    assert "WRONGTYPE" in answers[11]


def test_an_answer_can_not_break_the_table() -> None:
    answer = Answer(1, "?", "-", "a | b\nc")

    assert "| 1 | ? | - | a \\| b c |" in page([answer], when="Asked.")

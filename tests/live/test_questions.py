"""The page of open questions is whole, and asking works: here the embedded store answers."""

from __future__ import annotations

from pathlib import Path

from shared.cli.upstash_survey import QUESTIONS, Answer, ask, page, rows_before_survey
from shared.embedded.engine import Engine
from shared.embedded.protocol import UpstashProtocol
from shared.embedded.transport import EmbeddedTransport

PAGE = Path(__file__).parents[2] / "docs" / "upstash-live.md"
TOKEN = "a-token-of-live-tests"


def test_there_are_the_twelve_questions() -> None:
    assert len(QUESTIONS) == len({question for question, _, _ in QUESTIONS}) == 12


def test_the_page_asks_every_question() -> None:
    text = PAGE.read_text(encoding="utf-8")

    for number, (question, expected, _) in enumerate(QUESTIONS, start=1):
        assert f"| {number} | {question} | {expected} | " in text


def test_the_page_says_that_it_has_no_answers_yet() -> None:
    text = PAGE.read_text(encoding="utf-8")

    if "Asked on" not in text:
        assert text == page(rows_before_survey(), when="None has been run yet.")


async def test_every_question_gets_an_answer_and_leaves_no_key(engine: Engine) -> None:
    transport = EmbeddedTransport(UpstashProtocol(engine, token=TOKEN))
    asking = ask("http://embedded.localhost", TOKEN, transport=transport)
    answers = {answer.number: answer.reply async for answer in asking}

    assert list(answers) == list(range(1, 13))
    assert all(text and "not yet run" not in text for text in answers.values())
    assert await engine.execute(("DBSIZE",)) == 0
    assert "NOSCRIPT" in answers[2]
    assert answers[3].startswith("200")
    assert "WRONGTYPE" in answers[11]


def test_an_answer_can_not_break_the_table() -> None:
    answer = Answer(1, "?", "-", "a | b\nc")

    assert "| 1 | ? | - | a \\| b c |" in page([answer], when="Asked.")

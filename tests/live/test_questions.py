"""The page of open questions is whole, and asking works: here the embedded store answers."""

from __future__ import annotations

from pathlib import Path

from shared.cli.upstash_survey import QUESTIONS, Answer, ask, page, unasked
from shared.embedded.engine import Engine
from shared.embedded.protocol import UpstashProtocol
from shared.embedded.transport import EmbeddedTransport

PAGE = Path(__file__).parents[2] / "docs" / "upstash-live.md"
TOKEN = "a-token-of-live-tests"


async def _answers(engine: Engine) -> list[Answer]:
    protocol = UpstashProtocol(engine, token=TOKEN)
    transport = EmbeddedTransport(protocol)
    asking = ask("http://embedded.localhost", TOKEN, transport=transport)
    return [answer async for answer in asking]


def test_there_are_the_twelve_questions() -> None:
    assert len(QUESTIONS) == len({question for question, _, _ in QUESTIONS}) == 12


def test_the_page_asks_every_question() -> None:
    text = PAGE.read_text(encoding="utf-8")

    for number, (question, expected, _) in enumerate(QUESTIONS, start=1):
        assert f"| {number} | {question} | {expected} | " in text


def test_the_page_says_so_until_somebody_has_asked() -> None:
    text = PAGE.read_text(encoding="utf-8")

    if "Asked on" not in text:
        assert text == page(unasked(), when="None has been run yet.")


async def test_every_question_gets_an_answer_and_leaves_no_key(engine: Engine) -> None:
    answers = await _answers(engine)

    assert [answer.number for answer in answers] == list(range(1, 13))
    assert all(answer.reply and "not yet run" not in answer.reply for answer in answers)
    assert await engine.execute(("DBSIZE",)) == 0


async def test_what_the_engine_relies_on_holds_on_the_embedded_store(engine: Engine) -> None:
    said = {answer.number: answer.reply for answer in await _answers(engine)}

    assert "NOSCRIPT" in said[2]
    assert said[3].startswith("200")
    assert "WRONGTYPE" in said[11]


def test_an_answer_can_not_break_the_table() -> None:
    answer = Answer(1, "?", "-", "a | b\nc")

    assert "| 1 | ? | - | a \\| b c |" in page([answer], when="Asked.")

"""What text may show of a URL: no user name, no query, no fragment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from shared import App
from shared.declare.key import KeyFunction
from shared.declare.parse import parse_job
from shared.drain.describe import describe
from shared.errors import InvalidPayload
from shared.fetch import bare_urls
from shared.jobs.history import TEXT_KEPT, sanitize
from shared.jobs.redact import MOST_READ, keep_secret, redacted_start
from shared.observe.redacted import LONGEST_TRACEBACK, RedactedFormatter
from shared.web.problems import Problem, ProblemType, problem_of

LEGAL = "abcXYZ019-._~!$&'()*+,;=:%"
"""What RFC 3986 allows in a user name, and in a query beside others."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://h.example/p?sig=S now", "at https://h.example/p?… now"),
        ("https://user:pa'ssSECRET@h.example/p", "https://h.example/p"),
        ("https://h.example/p?x=a'SECRET", "https://h.example/p?…"),
        ("https://h.example/p#f'SECRET", "https://h.example/p?…"),
        ("'https://h.example/p?x=1'", "'https://h.example/p?…'"),
        ("'https://h.example/p'", "'https://h.example/p'"),
        ('"https://h.example/p?x=1", next', '"https://h.example/p?…", next'),
        ("no url, it's text", "no url, it's text"),
    ],
)
def test_a_url_shows_its_host_and_path(text: str, shown: str) -> None:
    assert bare_urls(text) == shown


@given(st.text(LEGAL, max_size=8), st.text(LEGAL, max_size=8), st.sampled_from("?#"))
def test_nothing_secret_is_shown_whatever_stands_around_it(
    before: str, after: str, mark: str
) -> None:
    user = f"https://{before}SECRET{after}@h.example/p"
    query = f"https://h.example/p{mark}{before}SECRET{after}"

    assert "SECRET" not in bare_urls(f"failed: {user} and {query}.")


SECRET = "s3cret-of-this-process-0123456789"
PARTS = [SECRET[:8], SECRET[8:16], SECRET[16:24], SECRET[-8:]]
AROUND = range(-len(SECRET) - 2, 3)
"""Places of the secret beside a cut, so that the cut is before, in and behind it."""


@pytest.fixture
def _secret() -> None:
    keep_secret([SECRET])


@pytest.mark.usefixtures("_secret")
@pytest.mark.parametrize("cut", [200, TEXT_KEPT, 2 * TEXT_KEPT, MOST_READ])
def test_no_cut_leaves_a_part_of_a_secret(cut: int) -> None:
    for place in AROUND:
        for repeats in (1, 50):  # what blanks shorten moves the end of the text forward
            text = "x" * (cut + place) + SECRET * repeats + "y" * cut
            shorter = SECRET * ((cut + place) // len(SECRET)) + text[-cut:]
            for one in (text, shorter, SECRET * 20_000):
                for shown in (redacted_start(one, cut), sanitize(one)):
                    assert not any(part in shown for part in PARTS)


@pytest.mark.usefixtures("_secret")
def test_a_url_that_a_cut_ends_shows_no_user() -> None:
    for place in range(-10, 3):
        text = "x" * (MOST_READ + place - 20) + "https://user:word@h.example/p?sig=word" + "y" * 99

        assert "word" not in redacted_start(text, MOST_READ)


@pytest.mark.usefixtures("_secret")
@pytest.mark.parametrize("cut", [200, 500, TEXT_KEPT, LONGEST_TRACEBACK // 2])
def test_an_error_tells_no_part_of_a_secret(cut: int) -> None:
    kind = ProblemType("any", 400, "Any")
    for place in AROUND:
        text = "x" * (cut + place) + SECRET + "y" * LONGEST_TRACEBACK
        error = ValueError(text)
        error.add_note(text)
        try:
            raise error
        except ValueError:
            trace = RedactedFormatter().formatException((ValueError, error, error.__traceback__))
        for shown in (str(describe([error])), str(problem_of(Problem(kind, text))), trace):
            assert not any(part in shown for part in PARTS)


class Telling(BaseModel):
    """A payload whose validator fails with the secret in its text."""

    where: str
    before: int

    @field_validator("before")
    @classmethod
    def _validate(cls, value: int) -> int:
        if value < 0:
            raise ValueError("x" * -value + SECRET)
        return value


def _told(key: KeyFunction | None, payload: dict[str, object]) -> str:
    queue = App("told").queue("q")

    @queue.job("t", key=key)
    async def handler(payload: Telling) -> None: ...

    with pytest.raises(InvalidPayload) as caught:
        parse_job(queue, {"type": "t", "payload": payload}, find_queue=lambda _name: queue)
    return str(problem_of(caught.value)[0])


@pytest.mark.usefixtures("_secret")
@pytest.mark.parametrize("before", [1, 40, 60, 79, 150, 199, 499])
def test_no_function_of_an_application_tells_a_caller_a_secret(before: int) -> None:
    def failing(_payload: Telling) -> str:
        raise KeyError("x" * before + SECRET)

    def odd(_payload: Telling) -> str:
        return "x " * before + SECRET

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError(SECRET)

    def broken(_payload: Telling) -> str:
        raise Broken

    told = [_told(key, {"where": "", "before": 1}) for key in (failing, odd, broken)]
    told.append(_told(None, {"where": "", "before": -before}))
    for shown in told:
        assert not any(part in shown for part in PARTS)

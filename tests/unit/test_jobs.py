"""Ids, options, bodies and histories of jobs."""

from __future__ import annotations

import functools
import json
import operator
import threading
import time
import uuid
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, WrapValidator

from shared.errors import InvalidOption
from shared.jobs.context import JobContext
from shared.jobs.history import ERRORS_KEPT, add_to_history, read_history
from shared.jobs.ids import (
    RUN_BYTES,
    RUN_JOBS,
    _Ids,
    check_job_id,
    child_id,
    created_ms,
    keep_child_id,
    new_id,
    public_id,
    split_id,
    unique_id,
)
from shared.jobs.job import Job
from shared.jobs.outcome import Outcome
from tests.support.values import claim


def test_ids_are_ordered_by_their_making_and_unique_over_threads() -> None:
    made: list[list[str]] = [[] for _ in range(4)]

    def make(into: list[str]) -> None:
        into.extend(new_id() for _ in range(5000))

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(into == sorted(into) for into in made)
    assert len({job_id for into in made for job_id in into}) == 20_000
    assert {len(job_id) for job_id in made[0]} == {22}


def test_an_id_of_ours_has_its_creation_time_and_a_callers_own_has_none() -> None:
    before = time.time_ns() // 1_000_000
    made = created_ms(new_id())
    after = time.time_ns() // 1_000_000

    assert made is not None
    assert before <= made <= after + 1  # ids of one millisecond may run ahead of it
    assert created_ms("01H0000008m3k00000000Z") is None  # an id's length and letters, no version 7
    assert created_ms("my-own") is None
    assert created_ms("ü" * 22) is None
    assert created_ms("_" * 22) is None


def test_the_creation_time_of_an_id_is_exact_with_and_without_a_shard() -> None:
    for shards in (1, 3):
        before = time.time_ns() // 1_000_000
        instants = [created_ms(new_id(shards)) or 0 for _ in range(5000)]

        assert instants == sorted(instants)
        assert before <= instants[0]
    assert created_ms("~1800000000000-a0-1-1") == 1_800_000_000_000


def test_ids_that_are_made_in_one_run_share_a_shard_and_the_next_run_has_the_next_one() -> None:
    ids = _Ids()
    runs = [[ids.new(3, 0) for _ in range(RUN_JOBS)] for _ in range(4)]

    shards = [{job_id.partition("~")[2] for job_id in run} for run in runs]
    assert [len(some) for some in shards] == [1] * 4
    assert shards[0] | shards[1] | shards[2] == {"0", "1", "2"}
    assert shards[3] == shards[0]
    assert [job_id for run in runs for job_id in run] == sorted(i for run in runs for i in run)


@pytest.mark.parametrize("sizes", [(RUN_BYTES, 1), (RUN_BYTES // 2, RUN_BYTES // 2 + 1)])
def test_a_run_ends_with_the_bytes_of_one_request(sizes: tuple[int, int]) -> None:
    ids = _Ids()
    first, second = (ids.new(2, size) for size in sizes)

    assert first[-2:] != second[-2:]


def test_a_run_ends_with_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    ids, now = _Ids(), [10**18]
    monkeypatch.setattr(time, "time_ns", lambda: now[0])
    made = [ids.new(2, 0)]
    for pause_ms in (1, 100, 101):
        now[0] += pause_ms * 1_000_000
        made.append(ids.new(2, 0))

    endings = [job_id[-1] for job_id in made]
    assert endings[0] == endings[1] == endings[2] != endings[3]


def test_an_id_with_its_shard_has_its_time_and_is_not_for_callers() -> None:
    short = new_id(4, 10)

    assert created_ms(short) == created_ms(short.partition("~")[0])
    assert created_ms(short) is not None
    assert split_id(public_id(short, "mail")) == (short, "mail")
    with pytest.raises(InvalidOption):
        check_job_id(short)


def halves(job_id: str) -> tuple[int, int]:
    """The two halves of the UUID that an id is."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    high = low = 0
    for first, second in zip(job_id[:11], job_id[11:], strict=True):
        high, low = high * 62 + digits.index(first), low * 62 + digits.index(second)
    return high, low


def test_an_id_is_a_uuid_of_version_7_whose_62_last_bits_are_chance() -> None:
    ids = [new_id() for _ in range(300)]
    lows = [halves(job_id)[1] for job_id in ids]
    high, low = halves(ids[0])
    parsed = uuid.UUID(int=high << 64 | low)

    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert high >> 16 == created_ms(ids[0])
    assert functools.reduce(operator.or_, lows) == 0xBFFF_FFFF_FFFF_FFFF
    assert functools.reduce(operator.and_, lows) == 0x8000_0000_0000_0000


def test_every_line_of_a_handlers_log_says_of_which_job_it_speaks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = JobContext(claim(attempts=1), "t", budget_left=lambda: 1.0)

    with caplog.at_level("INFO", logger="tidegate.job"):
        context.logger.info("hello", extra={"of": "mine"})

    (line,) = caplog.records
    fields = {name: vars(line)[name] for name in ("queue", "job_id", "type", "attempt", "of")}
    assert line.getMessage() == "hello"
    assert fields == {"queue": "q", "job_id": "a.q", "type": "t", "attempt": 2, "of": "mine"}


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_a_child_s_id_is_its_parent_s_to_make_and_nobody_else_s_to_write(
    parent: str, name: str, other: str
) -> None:
    child = child_id(parent, name)

    assert check_job_id(child) == child == child_id(parent, name)
    assert split_id(public_id(child, "q")) == (child, "q")
    assert created_ms(child) is None
    assert (child_id(parent, other) == child) == (other == name)
    with pytest.raises(InvalidOption):
        check_job_id(str(child))


def test_a_child_s_id_passes_a_model_of_options_from_python_and_never_from_json() -> None:
    class Options(BaseModel):
        job_id: Annotated[str, WrapValidator(keep_child_id)] | None = None

    child = child_id("imp.import", "mail")
    passed = Options(job_id=child).job_id
    read = Options.model_validate_json(json.dumps({"job_id": child})).job_id

    assert passed is not None
    assert check_job_id(passed) == read == child
    with pytest.raises(InvalidOption):
        check_job_id(read)


def test_a_context_knows_its_children_and_those_of_the_job_it_continues() -> None:
    parent = JobContext(claim("imp"), "t", budget_left=lambda: 1.0)
    part = JobContext(claim(parent.child_id("part 2")), "t", budget_left=lambda: 1.0)

    assert part.child_id("row 7", root=parent.id) == parent.child_id("row 7")
    assert part.child_id("row 7") != parent.child_id("row 7")
    assert part.is_child("part 2", root=parent.id)
    assert not part.is_child("part 3", root=parent.id)
    assert not parent.is_child("part 2", root=parent.id)


@given(
    st.from_regex(r"[A-Za-z0-9_-]{1,64}(~[0-9]{1,2})?", fullmatch=True),
    st.lists(st.integers(1, 2**42), min_size=2, max_size=2, unique=True),
    st.sampled_from(["q", "q.1", "mail-out"]),
)
def test_a_caller_s_id_is_unique_with_its_instant_and_one_of_ours_without(
    own: str, instants: list[int], queue: str
) -> None:
    job_id = public_id(own, queue)
    first, later = (unique_id(job_id, made) for made in instants)
    ours = public_id(child_id(first, "mail"), queue)

    assert first != later
    assert job_id not in (first, later)
    assert split_id(first) is None, "no other job has it as its id"
    assert unique_id(job_id, instants[0]) == first
    assert {unique_id(ours, made) for made in (*instants, None)} == {ours}
    assert unique_id(job_id, None) == job_id  # as new_id made it


def test_a_later_job_of_the_same_id_has_children_of_its_own() -> None:
    first, again, later = (
        JobContext(claim("imp"), "t", budget_left=lambda: 1.0, created_ms=made)
        for made in (1, 1, 2)
    )
    part = JobContext(claim(first.child_id("part 2")), "t", budget_left=lambda: 1.0, created_ms=5)

    assert first.child_id("row 7") == again.child_id("row 7") != later.child_id("row 7")
    assert part.child_id("row 7", root=first.unique_id) == first.child_id("row 7")
    assert part.is_child("part 2", root=first.unique_id)
    assert not part.is_child("part 2", root=later.unique_id)


def test_a_public_id_carries_its_queue() -> None:
    job_id = new_id()

    assert split_id(public_id(job_id, "mail.out")) == (job_id, "mail.out")
    assert split_id("~1-o-1-1.q") == ("~1-o-1-1", "q")


@pytest.mark.parametrize(
    "text", ["", "a", ".q", "a.", "a.Q", "a b.q", "a:b.q", "x" * 65 + ".q", "a.q\n", "ä.q", "~~a.q"]
)
def test_a_text_that_is_no_public_id_is_refused(text: str) -> None:
    assert split_id(text) is None


@given(st.lists(st.integers(0, 0x2FFF).map(chr), max_size=80).map("".join))
def test_any_text_is_an_id_or_is_not(text: str) -> None:
    parsed = split_id(text)

    assert parsed is None or public_id(*parsed) == text


@pytest.mark.parametrize("job_id", ["", "~a", ":paused", "a b", "x" * 65, "a\n", "ü", "a.b"])
def test_a_callers_own_id_can_not_collide_with_ours(job_id: str) -> None:
    with pytest.raises(InvalidOption):
        check_job_id(job_id)


def test_a_body_is_one_line_of_meta_and_the_payload_untouched() -> None:
    payload = '{"a": 1.0,\n "b": 10000000000000000000001}'

    assert Job("t\u2028", payload, overrides={"timeout": 5}).body() == (
        '{"type":"t\\u2028","timeout":5}\n' + payload
    )


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_the_payload_of_a_body_begins_after_its_first_newline(
    payload: str, meta: dict[str, str]
) -> None:
    assert Job("t", payload, overrides=meta).body().partition("\n")[2] == payload


def test_a_history_keeps_the_last_errors_with_their_attempts() -> None:
    history = ""
    for attempt in range(8):
        failed = Outcome("retry", detail={"error": {"type": "E", "message": str(attempt)}})
        history = add_to_history(claim(attempts=attempt, history=history), failed, at_ms=attempt)

    errors = read_history(history)["errors"]
    assert len(errors) == ERRORS_KEPT
    assert errors[-1] == {"at": 7, "attempt": 8, "type": "E", "message": "7"}


@given(st.text())
def test_a_foreign_history_reads_as_empty(text: str) -> None:
    assert isinstance(read_history(text), dict)


def test_a_history_adds_new_details_and_keeps_the_old() -> None:
    before = '{"progress":50,"errors":[{"type":"E"}]}'

    history = read_history(
        add_to_history(claim(history=before), Outcome("done", detail={"result": [1]}), 0)
    )

    assert history == {"progress": 50, "errors": [{"type": "E"}], "result": [1]}


def test_a_history_is_stored_in_as_few_bytes_as_possible() -> None:
    done = Outcome("done", detail={"result": {"ü": 1, "b": 2}})

    assert add_to_history(claim(), done, 0) == '{"result":{"ü":1,"b":2}}'


@pytest.mark.parametrize(
    ("share", "stored"), [(40, 40), (40.5, 40.5), (-1, 0), (1000, 100), (33.0, 33)]
)
def test_progress_is_a_share_of_a_hundred(share: float, stored: float) -> None:
    context = JobContext(claim(), "t", budget_left=lambda: 1.0)
    context.progress(share, "n" * 10_000)

    taken = context.take_progress()
    assert taken is not None
    assert taken["progress"] == stored
    assert len(taken["note"]) == 2000
    assert context.take_progress() is None


def test_a_context_has_the_attempt_the_fence_and_the_redelivery() -> None:
    first = JobContext(claim(), "t", budget_left=lambda: 7.0)
    again = JobContext(claim(fence=3, attempts=1, key="k"), "t", budget_left=lambda: 7.0)

    assert (first.id, first.attempt, first.redelivered, first.key) == ("a.q", 1, False, None)
    assert (again.attempt, again.fence, again.redelivered, again.key) == (2, 3, True, "k")
    assert first.budget_left() == 7.0


@pytest.mark.parametrize("taken", [0, 9, 10, 99_999])
@pytest.mark.parametrize("ending", ["", "~0", "~31"])
def test_an_id_from_the_inbox_of_any_length_tells_its_instant(taken: int, ending: str) -> None:
    for position in (1, 10, 100):
        assert created_ms(f"~1795806008121-0-{taken}-{position}{ending}") == 1795806008121

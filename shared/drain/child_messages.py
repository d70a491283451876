"""The messages of a child process, as its parent takes them. The handler shares that process and
may have written anything into the connection: what is no message of ours is the child's death."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from types import NoneType
from typing import Any, NamedTuple

from ..errors import LONGEST_DELAY, ChildDied, IsolatedError
from ..isolate.frames import Message
from ..jobs.ids import is_name
from ..jobs.outcome import Kind, Outcome

KINDS: Mapping[str, Kind] = {
    "done": "done",
    "retry": "retry",
    "dead": "dead",
    "release": "release",
    "snooze": "snooze",
    "park": "park",
    "cancelled": "cancelled",
}
"""Outcomes that `execute` has. The others are for the drain to make."""
DETAILS: Mapping[str, tuple[type, ...]] = {
    "result": (object,),
    "result_error": (str,),
    "error": (dict,),
    "progress": (int, float),
    "note": (str,),
    "log": (list,),
    "parked": (str,),
    "parks": (int,),
    "cuts": (int,),
    "cut_after": (int, float),
    "misfit_since": (int,),
    "snoozed_since": (int,),
}
"""What an outcome of `execute` leaves in the history, each of these types or None."""
MOST_DETAIL = 256 * 1024
"""Bytes of an outcome's detail. A result has 64 KB at most, the log of a job 8 KB."""
MOST_TEXT = 64 * 1024
"""Characters of an error and its traceback."""
MOST_VERBS = 100
LONGEST_VERB = 64
MOST_BILLED = 1_000_000_000
MOST_FIELDS = 100
MOST_QUEUES = 100
LONGEST_FAILURE = 2_000
LONGEST_WAIT = 86_400.0
"""Seconds that a command may ask to be tried for."""

_STANDARD = vars(logging.makeLogRecord({})).keys()
_OBJECTS = {"args", "exc_info", "exc_text", "stack_info"}
"""Fields of a record that hold no JSON values."""


class ChildResult(NamedTuple):
    """The end of a job. `retire`: the child can't be kept for others."""

    outcome: Outcome
    error: IsolatedError | None
    retire: bool


class Command(NamedTuple):
    """A command of the child's store client. `within`: seconds."""

    id: int
    command: list[str | int]
    verb: str
    within: float | None


class NudgeRequest(NamedTuple):
    """A call of a drain of these queues."""

    id: int
    queues: list[str]


class LogRecord(NamedTuple):
    """A record of the child's logging. `text`: what counts of it against the job's bound."""

    fields: Message
    raised: IsolatedError | None
    text: str


def no_message(name: str) -> ChildDied:
    """The death of a child that has sent this."""
    return ChildDied(f"the handler wrote into its child process's connection ({name})")


def read_ended(value: object) -> ChildResult:
    """The end that a child tells. Raises ChildDied."""
    match value:
        case {
            "outcome": [str(kind), int() | float() as delay, dict(detail), bool(started)],
            "error": error,
            "retire": bool(retire),
        } if kind in KINDS and 0 <= delay <= LONGEST_DELAY and _is_detail(detail):
            outcome = Outcome(KINDS[kind], float(delay), detail, started)
            return ChildResult(outcome, _read_error(error), retire)
    raise no_message("ended")


def read_reported(value: object) -> Message:
    """The progress and the log lines that a child reports. Raises ChildDied."""
    if not isinstance(value, dict) or not _is_detail(value):
        raise no_message("reported")
    progress = value.get("progress")
    if progress is not None and not 0 <= progress <= 100:
        raise no_message("reported")
    return value


def read_request(message: Message) -> Command | NudgeRequest:
    """The command that a child requests, or its nudge. Raises ChildDied."""
    match message:
        case {"id": int(number), "nudge": list(queues)} if len(queues) <= MOST_QUEUES and all(
            isinstance(queue, str) and is_name(queue) for queue in queues
        ):
            return NudgeRequest(number, queues)
        case {
            "id": int(number),
            "command": [_, *_] as command,
            "verb": str(verb),
            "within": None | int() | float() as within,
        } if (
            len(verb) <= LONGEST_VERB
            and all(isinstance(part, str | int) for part in command)
            and (within is None or 0 <= within <= LONGEST_WAIT)
            and _is_unicode(command)
        ):
            return Command(number, list(command), verb, within)
    raise no_message("request")


def read_billed(value: object) -> dict[str, int]:
    """Verb -> what scripts have cost. Raises ChildDied."""
    if not isinstance(value, dict) or len(value) > MOST_VERBS:
        raise no_message("billed")
    for verb, commands in value.items():
        if len(verb) > LONGEST_VERB or type(commands) is not int:
            raise no_message("billed")
        if not 0 <= commands <= MOST_BILLED:
            raise no_message("billed")
    return value


def read_log_record(message: Message) -> LogRecord:
    """A record that the child has logged. Raises ChildDied."""
    match message:
        case {
            "log": {"name": str(), "levelno": int(), "msg": str(text), **others},
            "raised": raised,
        } if len(others) <= MOST_FIELDS:
            own = [str(field) for name, field in others.items() if name not in _STANDARD]
            fields = {name: one for name, one in message["log"].items() if name not in _OBJECTS}
            return LogRecord(fields, _read_error(raised), "".join([text, *own]))
    raise no_message("log")


def read_failed(value: object) -> ChildDied:
    """Why a child can't run the job."""
    return ChildDied(value[:LONGEST_FAILURE]) if isinstance(value, str) else no_message("failed")


def _read_error(value: object) -> IsolatedError | None:
    match value:
        case None:
            return None
        case [str(kind), str(text), str(trace)] if len(kind) + len(text) + len(trace) <= MOST_TEXT:
            return IsolatedError(kind, text, trace)
    raise no_message("error")


def _is_detail(detail: Message) -> bool:
    """True if it may go into a history: known names and types, JSON that any client can read, not
    too large."""
    for name, value in detail.items():
        if name not in DETAILS or not isinstance(value, (*DETAILS[name], NoneType)):
            return False
    error = detail.get("error")
    if error is not None and not _is_error(error):
        return False
    try:
        text = json.dumps(detail, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        return len(text.encode()) <= MOST_DETAIL
    except (ValueError, RecursionError):  # lone surrogates among them
        return False


def _is_error(error: Message) -> bool:
    return isinstance(error.get("type"), str) and isinstance(error.get("message"), str)


def _is_unicode(command: list[Any]) -> bool:
    try:
        "".join(map(str, command)).encode()
    except ValueError:
        return False
    return True

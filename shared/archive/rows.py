"""Dead letters as rows of the table `job_failures`, and rows as dead letters.

A row has the whole record as Redis had it, and beside it what can be searched. JSONB takes less
than JSON (no NUL character, no number of any size), so a payload that it refuses stands there as
text; the record has it as it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json, to_json

from ..clock import utc
from ..declare.options import YEAR_10000
from ..declare.queue import Queue
from ..store.deaths import Death
from ..store.views import JobRecord, read_row

NUL, REPLACEMENT = "\0", "�"
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""JSON's escape of a NUL character. Where the backslash itself is escaped, it is plain text."""
_LATEST = datetime.fromtimestamp(YEAR_10000 - 1, UTC)


@dataclass(frozen=True, slots=True)
class ArchivedLetter:
    """One row. `record.at_ms` is the instant of the death; `raw` the record as Redis had it."""

    row: int
    record: JobRecord
    raw: bytes
    archived_at: datetime
    redriven_at: datetime | None


def row_values(
    prefix: str, queue: Queue, death: Death, archived_at: datetime, *, as_text: bool
) -> tuple[object, ...]:
    """The values of a death for the columns of an INSERT. `as_text`: the payload in `job_data` is a
    text, whatever it is."""
    record = read_row(queue, death.id, str(death.at_ms), _as_stored(death.record))
    last = record.errors[-1] if record.errors else {}
    return (
        prefix,
        queue.name,
        _clean(record.id),
        death.fence or 0,
        _instant(death.at_ms),
        _clean(record.type) or None,
        _clean(record.key),
        _clean(record.reason),
        _clean(last.get("type")),
        _clean(last.get("message")),
        record.attempts,
        record.crashes,
        record.redrives,
        _job_data(record, as_text=as_text),
        death.record,
        archived_at,
    )


def read_letter(queue: Queue, columns: Sequence[Any]) -> ArchivedLetter:
    """The dead letter of a row: id, job_id, failed_at, record, archived_at, redriven_at."""
    row, job_id, failed_at, raw, archived_at, redriven_at = columns
    raw, local_id = bytes(raw), job_id.partition(".")[0]
    at_ms = round(failed_at.timestamp() * 1000)
    record = read_row(queue, local_id, str(at_ms), _as_stored(raw))
    return ArchivedLetter(row, record, raw, archived_at, redriven_at)


def _as_stored(record: bytes) -> str | bytes:
    """A record as the store's client gives it."""
    try:
        return record.decode()
    except UnicodeDecodeError:
        return record


def _job_data(record: JobRecord, *, as_text: bool) -> str:
    """The JSON of `job_data`. An encrypted payload is the text that the store has."""
    data: dict[str, Any] = {"type": record.type, "options": record.overrides}
    data["errors"] = [] if as_text else record.errors
    if record.encryption is not None:
        data["encryption_key"] = record.encryption.key
        data["payload_text"] = record.encryption.stored.partition("\n")[2]
    elif as_text or not _fits_jsonb(record.payload):
        data["payload_text"] = record.payload
    else:
        body = to_json(_clean_all(data), fallback=str)
        return f'{body[:-1].decode()},"payload":{record.payload!s}}}'
    return to_json(_clean_all(data), fallback=str).decode()


def _fits_jsonb(payload: str | bytes) -> bool:
    """True where Postgres is expected to take the payload's own text. Lone surrogates and bytes
    that are no UTF-8 are no JSON to begin with."""
    if isinstance(payload, bytes) or _NUL.search(payload):
        return False
    try:
        from_json(payload, allow_inf_nan=False)
    except ValueError:
        return False
    return True


def _clean_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {_clean(name): _clean_all(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_clean_all(one) for one in value]
    return _clean(value) if isinstance(value, str | bytes) else value


def _clean(value: object) -> str | None:
    """Text that Postgres can hold, in place of any value."""
    if value is None:
        return None
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.encode("utf-8", "replace").decode().replace(NUL, REPLACEMENT)


def _instant(ms: int) -> datetime:
    """An instant of the store; one that no calendar has is the last one."""
    return utc(ms) if 0 <= ms < YEAR_10000 * 1000 else _LATEST

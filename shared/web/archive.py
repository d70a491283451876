"""The archive over HTTP: search its rows, show one, redrive one or many."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from pydantic_core import to_json
from starlette.responses import Response

from ..declare.parse import parse_redrive
from ..declare.requests import MOST_JOBS_A_BODY, DeadLetterFilter, Redrive
from ..errors import Forbidden, JobNotFound
from .body import json_response, read_object
from .call import Call, page_size
from .deadletters import HIDDEN_PAYLOAD, DeadLetterResponse
from .responses import ResponseModel

if TYPE_CHECKING:
    from ..archive.redrive import RedriveVerdict
    from ..encryption.keyring import Keyring

LARGEST_ROW = 2**63 - 1
_ROW = re.compile(r"[1-9][0-9]{0,18}")


class ArchivedResponse(DeadLetterResponse):
    """One row: a job's death. A job that died several times has several."""

    row: int
    key: str | None
    archived_at: datetime
    redriven_at: datetime | None = Field(description="When its job was made again from this row.")


class ArchivedDetailResponse(ArchivedResponse):
    """One row with its payload, for callers with the right payloads."""

    payload: Any = Field(description="null without the right payloads")
    payload_text: str | None = Field(description="The raw payload where it is not JSON.")


class ArchivePageResponse(ResponseModel):
    """A page, the newest death first. There is more while `next` is not null."""

    rows: list[ArchivedResponse]
    next: str | None


class ArchiveVerdictResponse(ResponseModel):
    """Did this call make the job again? The reason, if not."""

    row: int
    id: str
    redriven: bool
    reason: str | None


class ArchiveRedriveResponse(ResponseModel):
    """One verdict a row. There is more to redrive while `next` is not null."""

    rows: list[ArchiveVerdictResponse]
    redriven: int
    next: str | None


class ArchiveFilter(DeadLetterFilter):
    """A filter of rows; a field that is left out does not matter."""

    since: str | None = Field(None, max_length=64, description="Died at this instant or later.")
    until: str | None = Field(None, max_length=64, description="Died before this instant.")
    payload: dict[str, Any] | None = Field(None, description="Fields that the payload has too.")


class RedriveArchived(Redrive):
    """Rows by number, or those by a filter that were not redriven yet."""

    NAMES = "rows"
    rows: list[Annotated[int, Field(ge=1, le=LARGEST_ROW)]] | None = Field(
        None, max_length=MOST_JOBS_A_BODY
    )
    filter: ArchiveFilter | None = None


async def index(call: Call) -> Response:
    """A page of the rows that fit, the newest death first. `payload` is for operators."""
    from ..archive.criteria import Criteria
    from ..observe.describe_archive import describe_letter

    query = call.query("queue", "type", "error", "since", "until", "payload", "cursor", "limit")
    if "payload" in query:
        _require_payloads(call)
    criteria = Criteria(
        type=query.get("type"),
        error=query.get("error"),
        since=query.get("since"),
        until=query.get("until"),
        payload=query.get("payload"),
    )
    async with call.deployment.open_archive() as archive:
        page = await archive.page(
            call.queues(query.get("queue")),
            criteria,
            cursor=query.get("cursor"),
            most=page_size(query),
        )
    rows = [ArchivedResponse(**describe_letter(row, _keyring(call))) for row in page.rows]
    return json_response(ArchivePageResponse(rows=rows, next=page.next))


async def show(call: Call) -> Response:
    """One row. Its payload is for operators."""
    from ..observe.describe_archive import describe_letter, describe_letter_payload

    keyring = _keyring(call)
    async with call.deployment.open_archive() as archive:
        (letter,) = await archive.find(call.queues(None), [_row(call)])
    payload = describe_letter_payload(letter, keyring) if keyring else HIDDEN_PAYLOAD
    return json_response(ArchivedDetailResponse(**describe_letter(letter, keyring), **payload))


async def redrive(call: Call) -> Response:
    """Make the job of one row again, under its id and with its counts at 0. Once for each row."""
    from ..archive.redrive import redrive as redrive_rows
    from ..observe.describe_archive import describe_verdict

    async with call.deployment.open_archive() as archive:
        letters = await archive.find(call.queues(None), [_row(call)])
        (verdict,) = await redrive_rows(call.deployment.store, archive, letters)
    return json_response(ArchiveVerdictResponse(**describe_verdict(verdict)))


async def redrive_many(call: Call) -> Response:
    """By rows, or by a filter: then `most` a call, at the caller's pace."""
    from ..archive.redrive import redrive as redrive_rows

    request = parse_redrive(RedriveArchived, await read_object(call.request))
    if request.filter is not None and request.filter.payload is not None:
        _require_payloads(call)
    async with call.deployment.open_archive() as archive:
        if request.filter is None:
            letters, following = await archive.find(call.queues(None), request.rows or []), None
        else:
            page = await archive.page(
                call.queues(request.filter.queue),
                _criteria(request.filter),
                cursor=request.cursor,
                most=request.most,
            )
            letters, following = page.rows, page.next
        verdicts = await redrive_rows(call.deployment.store, archive, letters)
    return _verdicts(call, verdicts, following)


def _verdicts(call: Call, verdicts: list[RedriveVerdict], following: str | None) -> Response:
    from ..observe.describe_archive import describe_verdict

    rows = [ArchiveVerdictResponse(**describe_verdict(verdict)) for verdict in verdicts]
    redriven = sum(row.redriven for row in rows)
    call.tell_changed(redriven)
    return json_response(ArchiveRedriveResponse(rows=rows, redriven=redriven, next=following))


def _criteria(criteria: ArchiveFilter) -> Any:
    from ..archive.criteria import Criteria

    payload = None if criteria.payload is None else to_json(criteria.payload).decode()
    fields = criteria.model_dump(exclude={"queue", "payload"})
    return Criteria(**fields, payload=payload, redriven=False)


def _require_payloads(call: Call) -> None:
    """A search by payload reveals what payloads hold. Raises Forbidden."""
    if not call.may_read_payloads():
        raise Forbidden("a search by payload needs the right to read payloads")


def _keyring(call: Call) -> Keyring | None:
    """The keys, for a caller who may see what is encrypted."""
    return call.deployment.store.keyring if call.may_read_payloads() else None


def _row(call: Call) -> int:
    text = call.param("row")
    row = int(text) if _ROW.fullmatch(text) else 0
    if not 0 < row <= LARGEST_ROW:
        raise JobNotFound(f"{text[:80]!r} is no row of the archive; rows are whole numbers")
    return row
